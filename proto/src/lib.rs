//! What system-probe and security-agent agree on: the stream, the record layout, reader and writer.

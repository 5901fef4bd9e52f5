//! Events that CWS does not have, in reports.

use super::object::objects;
use super::process::PROCESS_CONTEXT;
use super::{flags, hex, non_zero, text};
use crate::constants::{IO_URING_FLAGS, MEMFD_FLAGS, NAMESPACE_FLAGS, USERFAULTFD_FLAGS};
use crate::payload::{IoUringSetup, MemfdCreate, ProcessVmWritev, Setns, Unshare, Userfaultfd};

objects! {
    /// Namespaces that a process left.
    UNSHARE: "UnshareEvent" of Unshare = |unshare, scope| {
        /// What it left.
        "flags" [str] = flags(&NAMESPACE_FLAGS, unshare.flags);
    }

    /// Namespaces that a process entered.
    SETNS: "SetnsEvent" of Setns = |setns, scope| {
        /// Types of namespaces that were asked for.
        "flags" [opt str] = (setns.flags != 0).then(|| flags(&NAMESPACE_FLAGS, setns.flags));
        /// Number of the namespace.
        "namespace" [opt int] = non_zero(setns.namespace);
        /// Process id of the process whose namespaces were entered.
        "pid" [opt int] = non_zero(setns.pid);
    }

    /// What was written to the memory of another process.
    PROCESS_VM_WRITEV: "ProcessVMWritevEvent" of ProcessVmWritev = |write, scope| {
        /// The first address that was written to, in hexadecimal.
        "address" [str] = hex(write.address);
        /// Process id of the process that was written to.
        "pid" [int] = i64::from(write.pid);
        /// The process that was written to.
        "target" [opt object PROCESS_CONTEXT] = write.target.as_deref();
    }

    /// A descriptor for page faults.
    USERFAULTFD: "UserfaultfdEvent" of Userfaultfd = |descriptor, scope| {
        /// Flags of the call.
        "flags" [opt str] = (descriptor.flags != 0).then(|| flags(&USERFAULTFD_FLAGS, descriptor.flags));
    }

    /// A file in memory.
    MEMFD_CREATE: "MemfdCreateEvent" of MemfdCreate = |memfd, scope| {
        /// Name of the file.
        "name" [opt str] = text(&memfd.name);
        /// Flags of the call.
        "flags" [opt str] = (memfd.flags != 0).then(|| flags(&MEMFD_FLAGS, memfd.flags));
    }

    /// Rings of `io_uring`.
    IO_URING_SETUP: "IoUringSetupEvent" of IoUringSetup = |ring, scope| {
        /// Size of the ring that was asked for.
        "entries" [int] = i64::from(ring.entries);
        /// Flags of the rings.
        "flags" [opt str] = (ring.flags != 0).then(|| flags(&IO_URING_FLAGS, ring.flags));
    }
}

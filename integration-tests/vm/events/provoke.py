#!/usr/bin/env python3
"""Does, below the directory that is given, one thing for each rule of events.policy."""

import ctypes
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
QUESTION = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x04test\x00\x00\x01\x00\x01"
ANSWER = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + QUESTION[12:] + b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x02"
BPF_CALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]


def in_child(what):
    child = os.fork()
    if child == 0:
        what()
        os._exit(0)
    os.waitpid(child, 0)


def files(below):
    os.chdir(below)
    with open("watched", "w", encoding="ascii") as file:
        file.write("x")
    os.chmod("watched", 0o600)
    os.chown("watched", 1, 1)
    os.utime("watched", (1, 1))
    os.rename("watched", "moved")
    os.link("moved", "linked")
    os.unlink("moved")
    os.mkdir("directory")
    LIBC.mount(b"none", b"directory", b"tmpfs", 0, None)
    LIBC.umount2(b"directory", 0)
    os.rmdir("directory")
    # A name that the file system refuses is told all the same.
    LIBC.setxattr(b"linked", b"user.name", b"value", 5, 0)
    ends = os.pipe()
    source = os.open("linked", os.O_RDONLY)
    LIBC.splice(source, None, ends[1], None, 1, 0)


def network():
    listener = socket.create_server(("127.0.0.1", 4343))
    client = socket.create_connection(("127.0.0.1", 4343))
    listener.accept()
    client.close()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.sendto(QUESTION, ("127.0.0.1", 53))
    _, address = server.recvfrom(512)
    server.sendto(ANSWER, address)
    asker.recv(512)


def kernel():
    in_child(lambda: LIBC.ptrace(0, 0, 0, 0))
    # Not a program that has just begun: it may still be in execve.
    sleeper = os.fork()
    if sleeper == 0:
        signal.pause()
    os.kill(sleeper, signal.SIGUSR1)
    os.waitpid(sleeper, 0)
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    plain = mmap.mmap(-1, 4096)
    address = ctypes.addressof(ctypes.c_char.from_buffer(plain))
    LIBC.mprotect(ctypes.c_void_p(address), 4096, mmap.PROT_READ | mmap.PROT_EXEC)
    LIBC.prctl(15, b"renamed", 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    LIBC.syscall(BPF_CALL, 0, (ctypes.c_uint32 * 18)(2, 4, 4, 1), 72)
    in_child(lambda: os.setuid(1000))
    in_child(lambda: LIBC.unshare(0x04000000))


files(sys.argv[1])
network()
kernel()
subprocess.run(["true"], check=True)

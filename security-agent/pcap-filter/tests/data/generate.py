#!/usr/bin/env python3
"""Writes libpcap.jsonl: what tcpdump says about packets and expressions made here.

Usage: generate.py TCPDUMP > libpcap.jsonl

The optimiser is off, as it changes which bytes are read of a packet that is cut off. The first line holds the packets, each following one an expression with the numbers of the packets that it matches, or `null`
where tcpdump refuses it. Kept: rerun it only to extend the comparison.
"""
import json
import random
import struct
import subprocess
import sys
import tempfile

random.seed(7)
MACS = ["00:11:22:33:44:55", "66:77:88:99:aa:bb", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb"]
V4 = ["10.0.0.1", "10.1.2.3", "192.168.1.5", "8.8.8.8", "224.0.0.251", "127.0.0.1"]
V6 = ["::1", "fe80::1", "2001:db8::5", "ff02::fb"]
PORTS = [22, 53, 80, 443, 6000, 65535]


def mac(text):
    return bytes(int(part, 16) for part in text.split(":"))


def v4(text):
    return bytes(int(part) for part in text.split("."))


def v6(text):
    import ipaddress
    return ipaddress.IPv6Address(text).packed


def transport(protocol):
    sport, dport = random.choice(PORTS), random.choice(PORTS)
    if protocol == 6:
        flags = random.choice([2, 16, 18, 24, 1, 4])
        body = bytes.fromhex("05010001") if random.random() < 0.5 else bytes(random.randrange(8))
        return struct.pack("!HHIIBBHHH", sport, dport, 1, 2, 0x50, flags, 100, 0, 0) + body
    if protocol == 17:
        return struct.pack("!HHHH", sport, dport, 12, 0) + b"abcd"
    if protocol == 132:
        return struct.pack("!HHII", sport, dport, 1, 2)
    if protocol in (1, 58):
        return bytes([random.choice([0, 3, 8, 11, 128, 135]), random.choice([0, 1]), 0, 0, 1, 2, 3, 4])
    return bytes(random.randrange(16))


def ip4():
    protocol = random.choice([6, 6, 17, 17, 1, 132, 2, 50, 112])
    fragment = random.choice([0, 0, 0, 0x4000, 0x2000, 0x2005])
    options = random.choice([b"", b"", b"\x01\x01\x01\x01"])
    body = transport(protocol)
    header = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), 1, fragment, 64, protocol, 0)
    return header + v4(random.choice(V4)) + v4(random.choice(V4)) + options + body


def ip6():
    protocol = random.choice([6, 6, 17, 17, 58, 132, 44])
    if protocol == 44:
        inner = random.choice([6, 17])
        body = bytes([inner, 0, 0, 0, 0, 0, 0, 1]) + transport(inner)
    else:
        body = transport(protocol)
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + v6(random.choice(V6)) + v6(random.choice(V6)) + body


def arp():
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac(MACS[0]) + v4(random.choice(V4)) + bytes(6) + v4(random.choice(V4))


def packet():
    kind, body = random.choice([(0x0800, ip4), (0x0800, ip4), (0x86DD, ip6), (0x0806, arp), (0x8035, arp)])
    tags = random.choice([b"", b"", b"", b"\x81\x00\x00\x05", b"\x88\xa8\x01\x00\x81\x00\x00\x05"])
    frame = mac(random.choice(MACS)) + mac(random.choice(MACS[:2])) + tags + struct.pack("!H", kind) + body()
    # Some are cut off.
    return frame[: random.randrange(len(frame))] if random.random() < 0.25 else frame


def primitive():
    side = random.choice(["", "", "src ", "dst ", "src or dst ", "src and dst "])
    return random.choice([
        lambda: random.choice(["ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "esp", "ah", "vrrp", "pim"]),
        lambda: random.choice(["", "ip ", "arp ", "rarp "]) + side + "host " + random.choice(V4),
        lambda: random.choice(["", "ip6 "]) + side + "host " + random.choice(V6),
        lambda: side + "net " + random.choice(["10.0.0.0/8", "10", "192.168", "192.168.1.0 mask 255.255.255.0", "0.0.0.0/0",
                                               "fe80::/10", "2001:db8::/32", "::/0", "224.0.0.0/4", "10.0.0.1"]),
        lambda: random.choice(["", "tcp ", "udp ", "sctp "]) + side + "port " + random.choice(["22", "53", "80", "https", "domain", "6000", "0x50"]),
        lambda: random.choice(["", "tcp ", "udp "]) + side + "portrange " + random.choice(["22-80", "80-22", "http-https", "6000-65535", "53"]),
        lambda: random.choice(["ip ", "ip6 ", ""]) + "proto " + random.choice(["6", "17", "\\tcp", "\\udp", "58", "1", "50", "44"]),
        lambda: "ether proto " + random.choice(["0x0800", "\\ip", "\\arp", "0x86dd"]),
        lambda: "ether " + side + "host " + random.choice(MACS),
        lambda: random.choice(["ether broadcast", "ether multicast", "ip multicast", "ip6 multicast", "broadcast", "multicast"]),
        lambda: random.choice(["less", "greater"]) + " " + random.choice(["40", "54", "60", "74"]),
        lambda: random.choice(["vlan", "vlan 5", "vlan 256"]),
        comparison, comparison, comparison,
    ])()


def comparison():
    return number(2) + random.choice([" = ", " == ", " != ", " < ", " <= ", " > ", " >= "]) + random.choice(
        [number(0), str(random.randrange(300))])


def number(depth):
    if depth and random.random() < 0.4:
        # The reference forgets which protocol the right operand needs, so none is read there.
        left, right = number(depth - 1), random.choice(["len", "7", "0xff", "(1 + 2)"])
        operator = random.choice(["+", "-", "*", "&", "|", "<<", ">>", "^", "%", "/"])
        if operator in "%/<<>>":
            right = str(random.randrange(1, 20))
        return f"({left} {operator} {right})"
    return random.choice([
        lambda: "tcp[tcpflags]", lambda: "tcp[13]", lambda: "tcp[((tcp[12] & 0xf0) >> 2):4]", lambda: "ip[0] & 0xf",
        lambda: "ip[2:2]", lambda: "udp[4:2]", lambda: "icmp[icmptype]", lambda: "icmp6[icmp6type]", lambda: "ether[0]",
        lambda: "ip6[6]", lambda: "arp[6:2]", lambda: "tcp-syn", lambda: "0x10", lambda: "len", lambda: "ether[12:2]",
        lambda: str(random.randrange(100)), lambda: "-1", lambda: "sctp[0:2]", lambda: "tcp[40]", lambda: "link[6:4]",
    ])()


def expression(depth):
    if depth == 0 or random.random() < 0.3:
        return primitive()
    kind = random.random()
    if kind < 0.15:
        return random.choice(["not ", "! ", "!"]) + expression(depth - 1)
    if kind < 0.3:
        return "(" + expression(depth - 1) + ")"
    if kind < 0.4:
        return "port " + random.choice(["80 or 443", "(22 or 53)", "not 80", "53 or (80 or 443)", "80 and not 22"])
    return expression(depth - 1) + random.choice([" and ", " or ", " && ", " || "]) + expression(depth - 1)


WRITTEN = """src 10.0.0.0/8|net 10/8|1.2.3.4|ip port 80|tcp host 1.2.3.4|(port 80) or 443|port 80 and (tcp) or 443|host 1.2.3.4/32
tcp[13-1] = 1|vlan 5000|portrange 80|net 10.0.0.1/8|ether|tcp or udp port 53|src 80|TCP|gre|tcp proto 5|1 = 1|5|2 = 1|net ::1/127
host 10.1|tcp[0:3] = 1|dst 1.2.3.4 and 5.6.7.8|tcp and|and tcp|tcp tcp|port|port 70000|host|(tcp|tcp)|not|tcp[|tcp[1|tcp[1] =|len
len >|less|greater foo|proto nosuch|port nosuch|tcp src|src or port 80|net 10.0.0.0 mask|ether host 1.2.3.4|host 00:11:22:33:44:55
tcp[0] = 1 = 2|tcp & 1 = 1|ip[0] / 0 = 1|ip[0] % 0 = 1|ip broadcast 5|port -1|net 1.2.3.4.5|host 256.1.1.1|net 10.0.0.0/33|host ::1/128
!tcp&&udp||icmp|not not tcp|len&0xff=74|tcp[13]&2!=0|port 80 or port 443 and tcp|portrange 22-80 and not port 53|src or dst port 53
dst port http and not src net 10.0.0.0/8|tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn|icmp[icmptype] = icmp-echo or icmp6[0] = 128
vlan and ip|vlan 5 and tcp|ip or vlan and ip|vlan and vlan and udp|not vlan|(vlan) and host 10.0.0.1|host 10.0.0.1 or (vlan and host 10.0.0.1)
udp[100] = 1 or tcp|not udp[100] = 1|tcp or udp[100] = 1|arp[0:2] = 1|rarp or arp|ip6 proto 6|proto 6|ip proto \\icmp|ether proto \\ip6"""


def pcap(packets, link, path):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link))
        for number, data in enumerate(packets):
            file.write(struct.pack("<IIII", number, 0, len(data), len(data)) + data)


def matches(tcpdump, path, text):
    run = subprocess.run([tcpdump, "-Z", "root", "-r", path, "-w", "-", "-O", "--", text], capture_output=True)
    if run.returncode:
        # An expression that can never match is no mistake of grammar.
        return [] if b"rejects all packets" in run.stderr else None
    found, at = [], 24
    while at < len(run.stdout):
        number, _, length, _ = struct.unpack_from("<IIII", run.stdout, at)
        found.append(number)
        at += 16 + length
    return found


def main():
    tcpdump = sys.argv[1]
    packets = [packet() for _ in range(160)] + [b""]
    raw = [random.choice([ip4, ip6])() for _ in range(60)]
    raw = [data[: random.randrange(1, len(data))] if random.random() < 0.2 else data for data in raw]
    print(json.dumps({"ethernet": [data.hex() for data in packets], "raw": [data.hex() for data in raw]}))
    texts = [text for line in WRITTEN.split("\n") for text in line.split("|") if "||" not in line or text]
    texts += ["tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn", "!tcp&&udp||icmp"]
    texts += [expression(3) for _ in range(700)]
    with tempfile.TemporaryDirectory() as directory:
        for name, link, data in [("ethernet", 1, packets), ("raw", 101, raw)]:
            path = f"{directory}/{name}.pcap"
            pcap(data, link, path)
            for text in texts:
                if name == "raw" and any(word in text for word in ["ether", "link", "vlan", "cast"]):
                    continue
                print(json.dumps({"link": name, "expr": text, "matches": matches(tcpdump, path, text)}))


main()

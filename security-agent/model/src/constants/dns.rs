//! Constants of DNS.

use super::constants;

constants! {
    /// Classes of DNS questions.
    DNS_CLASS, "DNS qclasses", {
        CLASS_INET = 1, CLASS_CSNET = 2, CLASS_CHAOS = 3, CLASS_HESIOD = 4, CLASS_NONE = 254, CLASS_ANY = 255,
    }, x86_64 {}, aarch64 {};

    /// Types of DNS questions.
    DNS_TYPE, "DNS qtypes", {
        None = 0, A = 1, NS = 2, MD = 3, MF = 4, CNAME = 5, SOA = 6, MB = 7, MG = 8, MR = 9, NULL = 10,
        PTR = 12, HINFO = 13, MINFO = 14, MX = 15, TXT = 16, RP = 17, AFSDB = 18, X25 = 19, ISDN = 20,
        RT = 21, NSAPPTR = 23, SIG = 24, KEY = 25, PX = 26, GPOS = 27, AAAA = 28, LOC = 29, NXT = 30,
        EID = 31, NIMLOC = 32, SRV = 33, ATMA = 34, NAPTR = 35, KX = 36, CERT = 37, DNAME = 39, OPT = 41,
        APL = 42, DS = 43, SSHFP = 44, RRSIG = 46, NSEC = 47, DNSKEY = 48, DHCID = 49, NSEC3 = 50,
        NSEC3PARAM = 51, TLSA = 52, SMIMEA = 53, HIP = 55, NINFO = 56, RKEY = 57, TALINK = 58, CDS = 59,
        CDNSKEY = 60, OPENPGPKEY = 61, CSYNC = 62, ZONEMD = 63, SVCB = 64, HTTPS = 65, SPF = 99, UINFO = 100,
        UID = 101, GID = 102, UNSPEC = 103, NID = 104, L32 = 105, L64 = 106, LP = 107, EUI48 = 108,
        EUI64 = 109, TKEY = 249, TSIG = 250, IXFR = 251, AXFR = 252, MAILB = 253, MAILA = 254, ANY = 255,
        URI = 256, CAA = 257, AVC = 258, TA = 32768, DLV = 32769, Reserved = 65535,
    }, x86_64 {}, aarch64 {};

    /// Response codes of DNS.
    DNS_RESPONSE_CODE, "DNS responses", {
        NOERROR = 0, FORMERR = 1, SERVFAIL = 2, NXDOMAIN = 3, NOTIMP = 4, REFUSED = 5, YXDOMAIN = 6,
        YXRRSET = 7, NXRRSET = 8, NOTAUTH = 9, NOTZONE = 10, BADVERS = 16, BADSIG = 16, BADKEY = 17,
        BADTIME = 18, BADMODE = 19, BADNAME = 20, BADALG = 21,
    }, x86_64 {}, aarch64 {};
}

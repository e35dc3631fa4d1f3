import ipaddr from "ipaddr.js"

/**
 * True for an address of the public network. IANA's special-purpose ranges are not it; an IPv4 address mapped into IPv6 counts as what it is, and other forms
 * that carry one (NAT64, 6to4, Teredo, ISATAP) count as not public, whatever they carry: nobody needs them to reach a provider.
 */
export function isPublic(address: string): boolean {
  try {
    // A zone (`fe80::1%eth0`) is for one link, whatever the rest says.
    if (address.includes("%")) return false
    const parsed = ipaddr.process(address)
    if (parsed.range() !== "unicast") return false
    return !(parsed instanceof ipaddr.IPv6) || (isGlobal(parsed) && !isIsatap(parsed))
  } catch {
    return false
  }
}

/** 2000::/3: nothing else is given out so far. */
function isGlobal({ parts }: ipaddr.IPv6): boolean {
  return (parts[0] ?? 0) >> 13 === 1
}

/** RFC 5214, section 6.1. */
function isIsatap({ parts }: ipaddr.IPv6): boolean {
  return parts[5] === 0x5efe && (parts[4] === 0 || parts[4] === 0x200)
}

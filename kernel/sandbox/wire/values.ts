/** What JSON has no word for stands as an object with one of these keys; an object of the sender's own with such a key is wrapped in `$o`. */
type Marker = { $b: [offset: number, length: number, kind: string] } | { $d: number } | { $s: number } | { $u: 1 } | { $o: object }

const nothing: Marker = { $u: 1 }

const views = { Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array } as const
type ViewName = keyof typeof views

/** Deeper than this no value crosses: what walks it in the gateway is recursive. A body may have 100 levels, and stands in an argument of a call. */
const deepest = 112
/** Members and elements of one value: 16 MiB of brackets would take a second to parse and a gigabyte to hold. */
const mostParts = 1_000_000

export interface Packed {
  json: string
  /** Bytes of typed arrays, in the order of their markers' offsets. */
  blobs: Uint8Array[]
}

/** Gives an async iterable a number under which its items will be sent. */
export type OpenStream = (source: AsyncIterable<unknown>) => number
/** The stream that the other side sends under that number. */
export type JoinStream = (id: number) => AsyncIterable<unknown>

/** A value as text and bytes: plain data, typed arrays, dates, async iterables. Functions and other classes are refused by a TypeError that says where. */
export function pack(value: unknown, openStream: OpenStream): Packed {
  const blobs: Uint8Array[] = []
  let offset = 0
  const bytes = (view: ArrayBufferView, kind: string): Marker => {
    const blob = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    const marker: Marker = { $b: [offset, blob.length, kind] }
    blobs.push(blob)
    offset += blob.length
    return marker
  }
  /** The same object where nothing in it needs a marker, so that the usual message costs no copy. */
  function carry(item: unknown, depth: number, at: string): unknown {
    if (typeof item === "function" || typeof item === "symbol" || typeof item === "bigint")
      throw new TypeError(`${at || "the value"} is a ${typeof item}, which cannot cross to another process`)
    if (typeof item !== "object" || item === null) return item
    if (depth > deepest) throw new TypeError(`${at} is deeper than ${deepest} levels`)
    if (Array.isArray(item)) {
      let copy: unknown[] | undefined
      for (let index = 0; index < item.length; index++) {
        // JSON would make null of it, and an argument that was left out is not null.
        const carried = item[index] === undefined ? nothing : carry(item[index], depth + 1, `${at}[${index}]`)
        if (carried === item[index]) continue
        copy ??= [...item]
        copy[index] = carried
      }
      return copy ?? item
    }
    if (ArrayBuffer.isView(item)) return bytes(item, kindOf(item, at))
    if (item instanceof Date) return { $d: item.getTime() }
    if (Symbol.asyncIterator in item) return { $s: openStream(item as AsyncIterable<unknown>) }
    const proto: unknown = Object.getPrototypeOf(item)
    if (proto !== Object.prototype && proto !== null)
      throw new TypeError(`${at || "the value"} is a ${item.constructor?.name ?? "class instance"}, which cannot cross to another process`)
    return carryMembers(item as Record<string, unknown>, depth, at)
  }
  function carryMembers(item: Record<string, unknown>, depth: number, at: string): object {
    let copy: Record<string, unknown> | undefined
    let marked = false
    for (const name of Object.keys(item)) {
      if (name.length === 2 && name[0] === "$") marked = true
      const carried = carry(item[name], depth + 1, at ? `${at}.${name}` : name)
      if (carried === item[name]) continue
      copy ??= { ...item }
      copy[name] = carried
    }
    return marked ? { $o: copy ?? item } : (copy ?? item)
  }
  return { json: JSON.stringify(carry(value, 0, "")), blobs }
}

function kindOf(view: ArrayBufferView, at: string): ViewName {
  const kind = Buffer.isBuffer(view) ? "Uint8Array" : view.constructor.name
  if (!Object.hasOwn(views, kind)) throw new TypeError(`${at || "the value"} is a ${kind}, which cannot cross to another process`)
  return kind as ViewName
}

/** The value again. `bytes` is what follows the text in its frame. Throws on what no `pack` makes. */
export function unpack(json: string, bytes: Uint8Array, joinStream: JoinStream): unknown {
  checkShape(json)
  const value: unknown = parse(json)
  // The usual message has no marker, and a text that holds none needs no walk.
  return json.includes('{"$') ? revive(value, { bytes, joinStream }, 0) : value
}

/** By its brackets and commas outside of texts, before anything parses or walks it. A text too short to be deep is not looked at. */
function checkShape(json: string): void {
  const most = 2 * deepest + 4
  if (json.length <= 2 * most) return
  let depth = 0
  let parts = 0
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === 0x22) {
      // To the end of the text: the next quote with an even number of backslashes before it.
      do {
        at = json.indexOf('"', at + 1)
        if (at < 0) return
      } while (isEscaped(json, at))
    } else if (code === 0x7b || code === 0x5b) {
      depth += 1
      parts += 1
      if (depth > most) throw new Error(`a value is deeper than ${deepest} levels`)
    } else if (code === 0x7d || code === 0x5d) depth -= 1
    else if (code === 0x2c) parts += 1
    if (parts > mostParts) throw new Error(`a value has more than ${mostParts} parts`)
  }
}

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0
  while (json.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1
  return backslashes % 2 === 1
}

/** Without members named `__proto__`, which assignments would take for the prototype. Text that may hide one behind an escape is looked at member by member. */
function parse(json: string): unknown {
  const suspicious = json.includes("__proto__") || json.includes("\\u00")
  return suspicious ? JSON.parse(json, (name, member) => (name === "__proto__" ? undefined : member)) : JSON.parse(json)
}

interface Revival {
  bytes: Uint8Array
  joinStream: JoinStream
}

function revive(value: unknown, revival: Revival, depth: number): unknown {
  if (typeof value !== "object" || value === null) return value
  if (depth > deepest * 2 + 2) throw new Error("a value is too deep")
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = revive(value[index], revival, depth + 1)
    return value
  }
  const [first] = Object.keys(value)
  const marker = value as { $b?: [number, number, string]; $d?: number; $s?: number; $o?: object }
  if (first === "$b" && marker.$b) return viewOf(marker.$b, revival.bytes)
  if (first === "$d") return new Date(marker.$d as number)
  if (first === "$u") return undefined
  if (first === "$s") return revival.joinStream(marker.$s as number)
  if (first === "$o" && marker.$o) return reviveMembers(marker.$o, revival, depth)
  return reviveMembers(value, revival, depth)
}

function reviveMembers(value: object, revival: Revival, depth: number): object {
  const members = value as Record<string, unknown>
  for (const name of Object.keys(members)) {
    // As JSON.parse does: a member of its own, never the prototype.
    const revived = revive(members[name], revival, depth + 1)
    if (revived !== members[name]) Object.defineProperty(members, name, { value: revived, writable: true, enumerable: true, configurable: true })
  }
  return members
}

function viewOf([offset, length, kind]: [number, number, string], bytes: Uint8Array): ArrayBufferView {
  const View = Object.hasOwn(views, kind) ? views[kind as ViewName] : undefined
  if (!View || !Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0 || offset + length > bytes.length)
    throw new Error("a frame's bytes do not fit its text")
  // A copy: the frame's buffer is shared with its neighbours, and a view of floats must be aligned.
  const copy = Uint8Array.from(bytes.subarray(offset, offset + length))
  return new View(copy.buffer, 0, length / View.BYTES_PER_ELEMENT)
}

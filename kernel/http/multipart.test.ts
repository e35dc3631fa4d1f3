import { deepEqual, equal, match, ok } from "node:assert/strict"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { multipart, type UploadedFile } from "@plugboard/sdk"
import { Type } from "typebox"
import { type ScratchHttp, scratchHttp } from "./scratch.test.ts"

const operator = { authorization: "Bearer operator" }

describe("forms", () => {
  let room: ScratchHttp
  let seen: { file: (UploadedFile & { text: string }) | undefined; fields: unknown } | undefined
  // A folder of its own: other gateways on this machine may be taking uploads too.
  const usual = process.env.TMPDIR
  const own = mkdtempSync(join(tmpdir(), "plugboard-forms-"))
  before(async () => {
    process.env.TMPDIR = own
    const body = multipart({
      file: "file",
      maxBytes: 100_000,
      fields: Type.Object({ name: Type.Optional(Type.String()), size: Type.Integer({ default: 7 }), tags: Type.Optional(Type.Array(Type.String())) }),
    })
    room = await scratchHttp({
      upload: {
        decl: { method: "POST", path: "/upload", role: "operator", summary: "A route", body, reply: Type.Object({}) },
        handle({ body }) {
          const { file, fields } = body as unknown as { file: UploadedFile | undefined; fields: object }
          seen = { file: file && { ...file, text: readFileSync(file.path, "utf8") }, fields }
          if ("name" in fields && fields.name === "fail") throw new Error("handler failed")
          return {}
        },
      },
    })
  })
  beforeEach(() => {
    seen = undefined
  })
  afterEach(emptied)
  after(async () => {
    await room.close()
    if (usual === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = usual
    rmSync(own, { recursive: true })
  })

  /** The folder goes when the answer has gone, which is a moment later. */
  async function emptied(): Promise<void> {
    for (let waited = 0; leftovers().length > 0 && waited < 10_000; waited += 10) await new Promise((resolve) => setTimeout(resolve, 10))
    deepEqual(leftovers(), [])
  }
  const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith("plugboard-upload-"))
  const send = async (form: FormData) => {
    const response = await fetch(`${room.url}/upload`, { method: "POST", body: form, headers: operator })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const formOf = (fields: Record<string, string | [text: string, filename: string]>) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields))
      typeof value === "string" ? form.append(name, value) : form.append(name, new Blob([value[0]], { type: "text/csv" }), value[1])
    return form
  }
  const parts = (...sections: string[]) => `${sections.map((section) => `--x\r\n${section}`).join("\r\n")}\r\n--x--\r\n`
  const sendRaw = async (body: string, type = "multipart/form-data; boundary=x") =>
    (await fetch(`${room.url}/upload`, { method: "POST", body, headers: { ...operator, "content-type": type } })).status

  it("give the file and the checked fields, and the file is gone afterwards", async () => {
    const form = formOf({ file: ["a,b", "list.csv"], name: "n", size: "12" })
    form.append("tags", "one")
    equal((await send(form)).status, 200)
    const { path = "", text, filename, contentType, bytes } = seen?.file ?? {}
    deepEqual([text, filename, contentType, bytes, seen?.fields], ["a,b", "list.csv", "text/csv", 3, { name: "n", size: 12, tags: ["one"] }])
    await emptied()
    ok(!existsSync(path) && !existsSync(dirname(path)))
  })

  it("do without a file, and without anything", async () => {
    equal((await send(formOf({ name: "n" }))).status, 200)
    deepEqual(seen, { file: undefined, fields: { name: "n", size: 7 } })
    equal(await sendRaw(""), 200)
    deepEqual(seen, { file: undefined, fields: { size: 7 } })
  })

  it("take an empty file", async () => {
    equal((await send(formOf({ file: ["", "empty.txt"] }))).status, 200)
    equal(seen?.file?.bytes, 0)
  })

  it("take a file that has no content type for a file", async () => {
    equal(await sendRaw(parts('Content-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\nabc')), 200)
    deepEqual([seen?.file?.text, seen?.file?.contentType], ["abc", "application/octet-stream"])
  })

  it("remove the file also when the handler fails, or a field does not fit", async () => {
    equal((await send(formOf({ file: ["x", "x"], name: "fail" }))).status, 500)
    const { status, body } = await send(formOf({ file: ["x", "x"], size: "many" }))
    equal(status, 400)
    match(JSON.stringify(body.details), /\/size/)
  })

  it("write no file but the declared one", async () => {
    equal((await send(formOf({ other: ["x".repeat(50_000), "other.txt"], "file[]": ["x", "y"], File: ["x", "z"] }))).status, 200)
    equal(seen?.file, undefined)
  })

  it("let 100 traversal names be names", async () => {
    const up = [
      "..",
      "../..",
      "..\\..",
      "/",
      "//",
      "C:\\",
      "\\\\host\\share\\",
      "....//",
      "..%2f",
      "%2e%2e/",
      "/etc/",
      "file:///",
      "~/",
      ".",
      "./.",
      "\0",
      "a\0/../",
      "..;/",
      "..\u2215",
      "con/",
    ]
    const ends = ["passwd", "a.txt", "../x", "..\\x", ""]
    const names = up.flatMap((stem) => ends.map((end) => stem + end))
    equal(names.length, 100)
    for (const name of names) {
      await sendRaw(parts(`Content-Disposition: form-data; name="file"; filename="${name.replaceAll("\0", "%00")}"\r\nContent-Type: text/plain\r\n\r\nx`))
      const { path = "", filename = "x" } = seen?.file ?? {}
      if (seen?.file) ok(dirname(dirname(path)) === tmpdir() && dirname(path).startsWith(join(tmpdir(), "plugboard-upload-")), path)
      ok(!/[/\\\0]/.test(filename) && filename !== "", filename)
      seen = undefined
    }
    await emptied()
    deepEqual(readdirSync(own), [])
  })

  it("take names like internals for names", async () => {
    const form = formOf({ __proto__: "x" })
    for (const name of ["__proto__", "constructor", "prototype", "hasOwnProperty", "toString", "files", "filepath", "body", "file.path", "file[filepath]"])
      form.append(name, "/etc/passwd")
    form.append("__proto__", "again")
    form.append("name", "n")
    equal((await send(form)).status, 200)
    equal(seen?.file, undefined)
    match(JSON.stringify(seen?.fields), /"name":"n"/)
    equal(({} as { admin?: unknown }).admin, undefined)
  })

  it("take the file from the file, whatever the fields say", async () => {
    equal((await send(formOf({ file: ["x", "real.txt"], "file.filepath": "/etc/passwd", "file[path]": "/etc/passwd" }))).status, 200)
    equal(seen?.file?.text, "x")
  })

  it("are multipart and nothing else", async () => {
    for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "application/octet-stream"])
      equal(await sendRaw("{}", type), 415)
    equal(seen, undefined)
  })

  it("that are broken are 400", async () => {
    for (const [body, type] of [
      ["nothing of the kind", undefined],
      [parts('Content-Disposition: form-data; name="name"\r\n\r\nx').slice(0, -6), undefined],
      ["--x\r\nContent-Disposition\r\n\r\n", undefined],
      [parts('Content-Disposition: form-data; name="name"\r\n\r\nx'), "multipart/form-data"],
    ] as const) {
      equal(await sendRaw(body, type), 400, body)
    }
    equal(seen, undefined)
  })

  it("that are too large are 413: by length, by the file, by the fields, by what is dropped", async () => {
    const stream = (form: string) =>
      fetch(`${room.url}/upload`, {
        method: "POST",
        body: new Blob([form]).stream(),
        duplex: "half",
        headers: { ...operator, "content-type": "multipart/form-data; boundary=x" },
      } as never)
    const file = (name: string, bytes: number) => `Content-Disposition: form-data; name="${name}"; filename="a"\r\nContent-Type: text/plain\r\n\r\n${"x".repeat(bytes)}`
    equal((await send(formOf({ file: ["x".repeat(10_000_000), "big"] }))).status, 413)
    equal((await send(formOf({ file: ["x".repeat(100_001), "big"] }))).status, 413)
    equal((await send(formOf({ file: ["x".repeat(100_000), "just"] }))).status, 200)
    equal((await stream(parts(file("file", 5_000_000)))).status, 413)
    equal((await stream(parts(file("other", 5_000_000)))).status, 413)
    equal((await stream(parts(`Content-Disposition: form-data; name="name"\r\n\r\n${"x".repeat(1_100_000)}`))).status, 413)
    equal((await stream(parts(file("file", 10), file("file", 10)))).status, 413)
  })

  it("leave nothing behind when the client goes in the middle", async () => {
    const socket = await room.open()
    socket.write(
      `POST /upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer operator\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 90000\r\n\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: text/plain\r\n\r\n${"x".repeat(20_000)}`,
    )
    while (leftovers().length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    await emptied()
    equal(seen, undefined)
  })
})

import { registerHooks } from "node:module"

const kernel = new URL("../../kernel/", import.meta.url)

/** `plugboard/testing` is a file of this repository; elsewhere it comes from the installed package, which nobody installs into itself. */
registerHooks({
  resolve(specifier, context, next) {
    const [, room] = /^plugboard\/([a-z]+)$/.exec(specifier) ?? []
    return room ? next(new URL(`${room}.ts`, kernel).href, context) : next(specifier, context)
  },
})

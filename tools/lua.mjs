// Formats the Lua scripts (--write), or checks their format and their names.
//
// StyLua formats. luaparse finds names that are not declared. Redis refuses those too, but only when the line is run.

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Config, formatCode, IndentType, LuaVersion, OutputVerification, QuoteStyle } from "@johnnymorganz/stylua";
import luaparse from "luaparse";

const SCRIPTS = "queueing/**/*.lua";
const COMMON = "common.lua"; // the loader puts it in front of each script of its folder
const GLOBALS = new Set([
  ...["redis", "KEYS", "ARGV", "cjson", "cmsgpack", "struct", "bit"],
  ...["string", "table", "math", "unpack", "select", "next", "pairs", "ipairs", "type", "tonumber", "tostring"],
  ...["assert", "error", "pcall", "xpcall", "rawequal", "rawget", "rawset", "getmetatable", "setmetatable"],
]);

function formatted(code) {
  const config = Config.new();
  config.syntax = LuaVersion.Lua51;
  config.column_width = 120;
  config.indent_type = IndentType.Spaces;
  config.indent_width = 2;
  config.quote_style = QuoteStyle.AutoPreferSingle;
  return formatCode(code, config, undefined, OutputVerification.Full);
}

// Names that a script uses without declaring them, and names that it declares without using them.
function wrongNames(code, common) {
  const uses = new Map();
  const declared = new Set();
  const onCreateNode = ({ type, name }) => type === "Identifier" && uses.set(name, (uses.get(name) ?? 0) + 1);
  luaparse.parse(code, {
    luaVersion: "5.1",
    scope: true,
    onCreateNode,
    onLocalDeclaration: (name) => declared.add(name),
  });
  const whole = luaparse.parse(`${common}\n${code}`, { luaVersion: "5.1", scope: true });
  const unknown = whole.globals.map(({ name }) => name).filter((name) => !GLOBALS.has(name));
  const unused = [...declared].filter((name) => uses.get(name) === 1 && !name.startsWith("_"));
  return [...unknown.map((name) => `${name} is not declared`), ...unused.map((name) => `${name} is not used`)];
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

// The problems of one script, as sentences; none if it is in order. The common part may declare names for others.
function problems(path) {
  const code = read(path);
  const isCommon = basename(path) === COMMON;
  const common = isCommon ? "" : read(join(dirname(path), COMMON));
  try {
    const names = wrongNames(code, common).filter((problem) => !isCommon || !problem.endsWith("is not used"));
    return formatted(code) === code ? names : [...names, "is not formatted: run `make fmt`"];
  } catch (error) {
    return [`cannot be parsed: ${error.message ?? error}`];
  }
}

const paths = globSync(SCRIPTS).sort();
if (process.argv.includes("--write")) {
  for (const path of paths) writeFileSync(path, formatted(read(path)));
} else {
  const found = paths.flatMap((path) => problems(path).map((problem) => `${path}: ${problem}`));
  for (const line of found) console.error(line);
  console.log(`Checked ${paths.length} Lua scripts: ${found.length} problems.`);
  process.exitCode = found.length || !paths.length ? 1 : 0;
}

// Loaded into a command (`node --import`): appends one line for each file below COUNT_OPENS_BELOW that the process opens, by
// whatever way of Node's, to COUNT_OPENS_TO.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { COUNT_OPENS_BELOW: folder, COUNT_OPENS_TO: to } = process.env;
const { appendFileSync } = fs;
const count = (path) => {
  if (String(path).startsWith(`${folder}/`)) appendFileSync(to, `${path}\n`);
};
for (const [holder, names] of [
  [fs, ["open", "openSync", "readFile", "readFileSync", "createReadStream", "openAsBlob"]],
  [fs.promises, ["open", "readFile"]],
]) {
  for (const name of names) {
    const original = holder[name];
    holder[name] = (path, ...rest) => {
      count(path);
      return original(path, ...rest);
    };
  }
}
syncBuiltinESMExports();

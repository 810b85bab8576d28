// Decrypts one file of an encrypted archive with nothing of ours: runtime/backup/README.md says how.
//   node unseal.js ARCHIVE NAME KEY_HEX >CLEAR
const crypto = require("crypto");
const fs = require("fs");

const [archive, name, key] = process.argv.slice(2);
const manifest = JSON.parse(fs.readFileSync(`${archive}/manifest.json`));
const hkdf = (from, salt, info, n) => Buffer.from(crypto.hkdfSync("sha256", from, salt, info, n));

const salt = Buffer.from(manifest.encryption.salt, "hex");
const secret = Buffer.from(key, "hex");
if (hkdf(secret, salt, "cloner archive check", 16).toString("hex") !== manifest.encryption.check) {
  throw new Error("another key");
}
const file = fs.readFileSync(`${archive}/${name}`);
if (file.toString("latin1", 0, 8) !== "CLSEAL01") throw new Error("not an encrypted file");
const own = hkdf(hkdf(secret, salt, "cloner archive key", 32), file.subarray(8, 40), `cloner file ${name}`, 39);

for (let at = 40, number = 0, last = false; !last; number++) {
  const chunk = file.subarray(at, at + 65536 + 16);
  at += chunk.length;
  last = at === file.length;
  const nonce = Buffer.alloc(12);
  own.copy(nonce, 0, 32, 39);
  nonce.writeUInt32BE(number, 7);
  nonce[11] = last ? 1 : 0;
  const d = crypto.createDecipheriv("aes-256-gcm", own.subarray(0, 32), nonce);
  d.setAAD(Buffer.from(name));
  d.setAuthTag(chunk.subarray(chunk.length - 16));
  fs.writeSync(1, Buffer.concat([d.update(chunk.subarray(0, chunk.length - 16)), d.final()]));
}

// A PostgreSQL server that says it is older than it is: passes everything on, but for its version.
//
//   node pg_older.js PORT MAJOR OLDER     prints the port it listens on; ends with its standard input
"use strict";
const net = require("net");
const [port, major, older] = process.argv.slice(2);

// "15.14 (Debian …" and "150014": of the same length, so no message changes its size.
function disguise(bytes) {
    const text = bytes.toString("latin1")
        .replace(new RegExp(`\\b${major}(\\.\\d+\\b)`, "g"), `${older}$1`)
        .replace(new RegExp(`(^|[^0-9])${major}(00\\d\\d)(?!\\d)`, "g"), `$1${older}$2`);
    return Buffer.from(text, "latin1");
}

const server = net.createServer((client) => {
    const peer = net.connect(Number(port), "127.0.0.1");
    client.on("data", (bytes) => peer.write(bytes));
    peer.on("data", (bytes) => client.write(disguise(bytes)));
    for (const [one, other] of [[client, peer], [peer, client]]) {
        one.on("error", () => other.destroy());
        one.on("close", () => other.end());
    }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();

// A link of limited speed: passes TCP connections on to a port of this machine, each with at most so
// many bytes a second towards the client.
//
//   node throttle.js PORT MIB_PER_SECOND     prints the port it listens on
"use strict";
const net = require("net");

const [port, rate] = process.argv.slice(2).map(Number);
const perMs = (rate * 1048576) / 1000;
const BURST_MS = 10;

function pass(client) {
    const server = net.connect(port, "127.0.0.1");
    // When the last byte so far would have left a link of that speed.
    let due = 0;
    let waits = 0;
    const resume = () => {
        waits -= 1;
        if (waits === 0) server.resume();
    };
    const hold = (until) => {
        waits += 1;
        server.pause();
        until(resume);
    };
    server.on("data", (chunk) => {
        const now = performance.now();
        due = Math.max(due, now) + chunk.length / perMs;
        if (!client.write(chunk)) hold((go) => client.once("drain", go));
        if (due - now > BURST_MS) hold((go) => setTimeout(go, due - now));
    });
    server.on("end", () => client.end());
    client.pipe(server);
    client.on("close", () => server.destroy());
    server.on("close", () => client.end());
    client.on("error", () => server.destroy());
    server.on("error", () => client.destroy());
}

const listener = net.createServer(pass);
listener.listen(0, "127.0.0.1", () => console.log(listener.address().port));

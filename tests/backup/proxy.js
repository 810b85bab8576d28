// A TCP proxy that cuts: node proxy.js LISTEN TARGET. It passes what comes until it gets SIGUSR2,
// then resets every connection it has, in the middle of whatever they carry; new ones are refused.
'use strict';
const net = require('net');

const [listen, target] = process.argv.slice(2).map(Number);
const pairs = new Set();
let cut = false;

net.createServer((client) => {
  if (cut) return client.resetAndDestroy();
  const server = net.connect({ port: target, host: '127.0.0.1' });
  const pair = { client, server };
  pairs.add(pair);
  const end = () => { pairs.delete(pair); client.destroy(); server.destroy(); };
  for (const socket of [client, server]) socket.on('error', end).on('close', end);
  client.pipe(server);
  server.pipe(client);
  return undefined;
}).listen(listen, '127.0.0.1', () => process.stdout.write('ready\n'));

process.on('SIGUSR2', () => {
  cut = true;
  for (const { client, server } of pairs) { client.resetAndDestroy(); server.resetAndDestroy(); }
});

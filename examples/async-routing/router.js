#!/usr/bin/env node
// The routing program of this example, in Node.js, with nothing but its standard library. Kamailio asks it where each
// call should go. router.py is the same in Python.
// usage: router.js [HOST:PORT of Kamailio's event socket] [URI of gateway 1] [URI of gateway 2]
'use strict';
const net = require('net');

const [address = '127.0.0.1:8448', gateway1 = 'sip:127.0.0.1:5080', gateway2 = 'sip:127.0.0.1:5090'] =
  process.argv.slice(2);
const [, host, port] = /^(.*):(\d+)$/.exec(address);
const RECONNECT_MS = 250;

// Where calls go. Put your own rules, or the questions to your database, here.
function route(callee) {
  if (/^\+?[1-9]\d{1,14}$/.test(callee)) {
    // A telephone number (E.164): gateway 1, and if that fails, gateway 2.
    const first = { uri: gateway1, headers: { extra: 'X-Hdr-A: abc\r\nX-Hdr-B: bcd\r\n' } };
    const second = { uri: gateway2, headers: { extra: 'X-Hdr-C: cde\r\nX-Hdr-D: def\r\n' } };
    return { routing: 'serial', routes: [first, second] };
  }
  if (callee === 'support') {
    // Both ring at once, and who answers first has the call.
    return { routing: 'parallel', routes: [{ uri: gateway1 }, { uri: gateway2 }] };
  }
  // A local extension: Kamailio knows where that phone is.
  return { routing: 'location' };
}

// What to send back, or null where the message asks for nothing.
function answer(text) {
  let question;
  try {
    question = JSON.parse(text);
  } catch (error) {
    console.log(`not JSON: ${text}`);
    return null;
  }
  if (question === null || question.event !== 'sip-routing') return null;
  const xtra = { tindex: question.tindex, tlabel: question.tlabel };
  return JSON.stringify({ version: '1.0', xtra, ...route(String(question.callee)) });
}

// Messages travel as netstrings: the length in bytes, a colon, the message, a comma. TCP knows nothing of messages:
// what arrives at once may be several of them, or a part of one.
class Frames {
  constructor() {
    this.buffer = Buffer.alloc(0);
  }

  // All messages that are complete with this data.
  take(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    const messages = [];
    for (;;) {
      const colon = this.buffer.indexOf(':');
      const head = this.buffer.toString('latin1', 0, colon < 0 ? this.buffer.length : colon);
      if (!/^\d{0,9}$/.test(head) || (colon >= 0 && head === '')) throw new Error(`no netstring: ${head.slice(0, 20)}`);
      const begin = colon + 1;
      const end = begin + Number(head);
      if (colon < 0 || this.buffer.length <= end) return messages;
      if (this.buffer[end] !== 0x2c) throw new Error('a netstring without its comma');
      messages.push(this.buffer.toString('utf8', begin, end));
      this.buffer = this.buffer.subarray(end + 1);
    }
  }
}

function send(socket, text) {
  socket.write(`${Buffer.byteLength(text)}:${text},`);
}

function connect() {
  const frames = new Frames();
  const socket = net.connect({ host, port: Number(port), noDelay: true });
  socket.on('connect', () => {
    console.log(`connected to ${address}`);
    send(socket, JSON.stringify({ version: '1.0', client: 'router.js' }));
  });
  socket.on('data', (data) => {
    try {
      for (const text of frames.take(data)) {
        const reply = answer(text);
        if (reply === null) continue;
        console.log(`asked    ${text}`);
        console.log(`answered ${reply}`);
        send(socket, reply);
      }
    } catch (error) {
      console.log(error.message);
      socket.destroy();
    }
  });
  socket.on('error', (error) => console.log(`${address}: ${error.code}`));
  // Kamailio is away, or was restarted: we try until it is back.
  socket.on('close', () => setTimeout(connect, RECONNECT_MS));
}

connect();

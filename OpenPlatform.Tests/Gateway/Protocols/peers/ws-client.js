// node ws-client.js URL KEY: sends messages, fragments and a ping, prints what came back.
const WebSocket = require('ws');

const socket = new WebSocket(process.argv[2], { headers: { 'x-api-key': process.argv[3] } });
const sizes = [];
socket.on('open', () => {
  socket.send('text');
  socket.send(Buffer.alloc(100000, 7));
  socket.send('in two ', { fin: false });
  socket.send('parts', { fin: true });
});
socket.on('message', (data, binary) => {
  sizes.push(binary ? data.length : data.toString());
  if (sizes.length === 3) socket.ping('ping');
});
socket.on('pong', data => { sizes.push(data.toString()); socket.close(4000, 'enough'); });
socket.on('close', (code, reason) => console.log(sizes.join(', ') + ', ' + code + ' ' + reason));
socket.on('error', error => console.log(error.message));

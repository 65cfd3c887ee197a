const grpc = require('@grpc/grpc-js');
const { peers } = grpc.loadPackageDefinition(require('@grpc/proto-loader').loadSync(__dirname + '/greeter.proto'));

const server = new grpc.Server();
server.addService(peers.Greeter.service, {
  Hello: (call, done) => {
    const trailer = new grpc.Metadata();
    trailer.set('x-trailer', 'seen');
    if (call.request.text === 'nobody') done({ code: grpc.status.NOT_FOUND, details: 'nobody – here' }, null, trailer);
    else done(null, { text: 'hello ' + call.request.text }, trailer);
  },
  Down: call => {
    for (let i = 0; i < 100; i++) call.write({ text: call.request.text + i });
    call.end();
  },
  Up: (call, done) => {
    const texts = [];
    call.on('data', name => texts.push(name.text)).on('end', () => done(null, { text: texts.join('+') }));
  },
  Both: call => {
    call.sendMetadata(new grpc.Metadata());
    call.on('data', name => call.write({ text: 'hello ' + name.text })).on('end', () => call.end());
  },
  Never: () => {},
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log('port ' + port);
});

// node grpc-client.js PORT KEY: calls every kind of method and prints what came back, a line each.
const grpc = require('@grpc/grpc-js');
const { peers } = grpc.loadPackageDefinition(require('@grpc/proto-loader').loadSync(__dirname + '/greeter.proto'));

const client = new peers.Greeter('127.0.0.1:' + process.argv[2], grpc.credentials.createInsecure());
const keyed = () => { const metadata = new grpc.Metadata(); metadata.set('x-api-key', process.argv[3]); return metadata; };
const unary = (method, text, metadata, options) => new Promise(resolve => {
  let trailer = '';
  client[method]({ text }, metadata, options || {}, (error, answer) => setImmediate(() => resolve((error ? `${error.code} ${error.details}` : answer.text) + trailer)))
    .on('status', status => { trailer = ' ' + (status.metadata.get('x-trailer')[0] || '-'); });
});

(async () => {
  console.log('unary: ' + await unary('Hello', 'you', keyed()));
  console.log('error: ' + await unary('Hello', 'nobody', keyed()));
  console.log('server stream: ' + await new Promise(resolve => {
    const texts = [];
    client.Down({ text: 'd' }, keyed()).on('data', answer => texts.push(answer.text)).on('end', () => resolve(texts.length + ' ' + texts[99])).on('error', e => resolve(e.message));
  }));
  console.log('client stream: ' + await new Promise(resolve => {
    const call = client.Up(keyed(), (error, answer) => resolve(error ? error.message : answer.text));
    ['a', 'b', 'c'].forEach(text => call.write({ text }));
    call.end();
  }));
  console.log('both: ' + await new Promise(resolve => {
    const texts = [];
    const call = client.Both(keyed());
    call.on('metadata', () => call.write({ text: '1' })); // nothing is sent before the head is here
    call.on('data', answer => {
      texts.push(answer.text);
      if (texts.length < 3) call.write({ text: String(texts.length + 1) });
      else call.end();
    }).on('end', () => resolve(texts.join(', '))).on('error', e => resolve(e.message));
  }));
  console.log('deadline: ' + (await unary('Never', 'x', keyed(), { deadline: Date.now() + 500 })).split(' ')[0]);
  console.log('refused: ' + await unary('Hello', 'you', new grpc.Metadata()));
  client.close();
})();

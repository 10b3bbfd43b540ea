// Calls a HelloCNN server in every way that its API has, and checks the responses.
// Prints a line for each case, and exits with 1 if one failed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { parseArgs, promisify } from 'node:util';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import health from 'grpc-health-check';

import { readDigits } from './digits.js';

const STREAM_LENGTH = 500;
const GZIP = 2; // grpc.compressionAlgorithms.gzip

const { values: options } = parseArgs({
  options: {
    server: { type: 'string', default: '127.0.0.1:8500' },
    data: { type: 'string', default: 'data/mnist-test' }, // the folder with MNIST's test set
    protos: { type: 'string', default: 'protos' }, // the folder with hellocnn/v1
    ca: { type: 'string' }, // the authority of the server's certificate; without it, there is no TLS
    cert: { type: 'string' }, // a certificate of this client, with --key
    key: { type: 'string' },
    'token-file': { type: 'string' }, // the file with a token, for a server with access control
    'no-gzip': { type: 'boolean', default: false }, // the server rejects compressed requests
  },
});

const definition = protoLoader.loadSync('hellocnn/v1/classifier_service.proto', {
  includeDirs: [options.protos],
  oneofs: true,
  defaults: true,
  longs: Number,
});
const { ClassifierService } = grpc.loadPackageDefinition(definition).hellocnn.v1;
const Health = grpc.makeGenericClientConstructor(health.service, 'grpc.health.v1.Health');

function credentials() {
  if (!options.ca) return grpc.credentials.createInsecure();
  const read = (path) => (path ? readFileSync(path) : null);
  return grpc.credentials.createSsl(read(options.ca), read(options.key), read(options.cert));
}

// Sends the token with each call.
const token = options['token-file'] && readFileSync(options['token-file'], 'utf8').trim();
const bearer = (callOptions, nextCall) => new grpc.InterceptingCall(nextCall(callOptions), {
  start: (metadata, listener, next) => {
    metadata.set('authorization', `Bearer ${token}`);
    next(metadata, listener);
  },
});
const interceptors = token ? [bearer] : [];

// A client of the service, with methods that return promises: `unary` for the calls with one response.
function connect(channelOptions = {}) {
  const client = new ClassifierService(options.server, credentials(), { interceptors, ...channelOptions });
  client.unary = {
    classify: promisify(client.classify).bind(client),
    getModel: promisify(client.getModel).bind(client),
  };
  return client;
}

const service = connect();
const healthClient = new Health(options.server, credentials(), { interceptors });
const checkHealth = promisify(healthClient.check).bind(healthClient);
const digits = readDigits(options.data, STREAM_LENGTH);

const within = (ms) => ({ deadline: Date.now() + ms });
const imagesOf = (count) => Array.from({ length: count }, (_, i) => digits[i % digits.length].image);
const describe = () => service.unary.getModel({}, within(60_000));

// Waits for the rejection of a promise, and returns the error, which must have the code.
async function expectCode(code, promise) {
  const error = await promise.then(() => assert.fail(`wanted ${grpc.status[code]}, got a response`), (error) => error);
  assert.equal(error.code, code, error);
  return error;
}

// As many must be right as the model card promises.
async function checkAccuracy(right, count) {
  const { model } = await describe();
  assert.ok(model.testAccuracy > 0.9 && right / count >= model.testAccuracy, `${right} of ${count} are right`);
}

async function classify(count, { client = service, metadata = new grpc.Metadata() } = {}) {
  const response = await client.unary.classify({ images: imagesOf(count) }, metadata, within(60_000));
  assert.equal(response.predictions.length, count);
  await checkAccuracy(response.predictions.filter((p, i) => p.classIndex === digits[i].label).length, count);
}

const cases = {
  'health check': async () => {
    for (const name of ['', 'hellocnn.v1.ClassifierService']) {
      assert.equal((await checkHealth({ service: name }, within(60_000))).status, 'SERVING');
    }
    await expectCode(grpc.status.NOT_FOUND, checkHealth({ service: 'no.such.Service' }, within(60_000)));
  },

  'one image': async () => {
    const { image, label } = digits[0];
    const classify = promisify(service.classify).bind(service);
    const response = await classify({ images: [image] }, { deadline: Date.now() + 10_000 });
    const [prediction] = response.predictions;
    assert.equal(prediction.label, String(label));
    const sum = prediction.logProbabilities.reduce((sum, p) => sum + Math.exp(p), 0);
    assert.ok(Math.abs(sum - 1) < 1e-5, `probabilities sum to ${sum}`);
  },

  '64 images': () => classify(64),

  stream: async () => {
    const stream = service.classifyStream(within(60_000));
    digits.forEach(({ image }, id) => stream.write({ id, images: [image] }));
    stream.end();
    const classes = new Map();
    for await (const { id, outcome, result, error } of stream) {
      assert.equal(outcome, 'result', error?.message);
      classes.set(id, result.predictions[0].classIndex);
    }
    assert.equal(classes.size, digits.length);
    await checkAccuracy(digits.filter(({ label }, id) => classes.get(id) === label).length, digits.length);
  },

  model: async () => {
    const { model } = await describe();
    assert.equal(model.version.name, 'mnist');
    assert.equal(model.classLabels.length, 10);
    assert.equal(model.layers.reduce((sum, layer) => sum + layer.parameterCount, 0), model.parameterCount);
  },

  'health watch': async () => {
    const watch = healthClient.watch({ service: '' }, within(60_000));
    const [response] = await once(watch, 'data');
    assert.equal(response.status, 'SERVING');
    watch.cancel();
    const [error] = await once(watch, 'error');
    assert.equal(error.code, grpc.status.CANCELLED);
  },

  'wrong size': async () => {
    const request = { images: [{ gray8: Buffer.alloc(1000) }] };
    const error = await expectCode(grpc.status.INVALID_ARGUMENT, service.unary.classify(request, within(60_000)));
    assert.match(error.details, /1024/);
  },

  // Asks for as much as the server takes, which it cannot compute in time.
  deadline: async () => {
    const images = imagesOf((await describe()).limits.maxImagesPerRequest);
    await expectCode(grpc.status.DEADLINE_EXCEEDED, service.unary.classify({ images }, within(1)));
  },

  cancellation: async () => {
    const stream = service.classifyStream(within(60_000));
    stream.write({ id: 1, images: imagesOf(1) });
    await once(stream, 'data');
    stream.cancel();
    const [error] = await once(stream, 'error');
    assert.equal(error.code, grpc.status.CANCELLED);
    await classify(1); // on the same connection
  },

  gzip: async () => {
    const client = connect({ 'grpc.default_compression_algorithm': GZIP });
    try {
      const call = classify(64, { client });
      await (options['no-gzip'] ? expectCode(grpc.status.UNIMPLEMENTED, call) : call);
    } finally {
      client.close();
    }
  },

  // Sends some that the server does not know and must not mind.
  metadata: async () => {
    const metadata = new grpc.Metadata();
    metadata.set('x-request-id', 'node-1');
    metadata.set('x-trace-bin', Buffer.from([0, 1, 0xfe, 0xff, 0x2c]));
    metadata.set('x-large', 'm'.repeat(4000));
    await classify(1, { metadata });
  },

  'too large': async () => {
    const gray8 = Buffer.alloc((await describe()).limits.maxMessageBytes);
    await expectCode(grpc.status.RESOURCE_EXHAUSTED, service.unary.classify({ images: [{ gray8 }] }, within(60_000)));
    await classify(1); // on the same connection
  },

  // Sends more at once than the queue holds. Rejected calls are told when to retry.
  overload: async () => {
    const images = imagesOf((await describe()).limits.maxImagesPerRequest);
    const count = 16;
    const calls = Array.from({ length: count }, () => service.unary.classify({ images }, within(60_000)));
    const rejected = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
    assert.ok(rejected.length > 0 && rejected.length < count, `${rejected.length} of ${count} calls were rejected`);
    for (const { reason } of rejected) {
      assert.equal(reason.code, grpc.status.RESOURCE_EXHAUSTED, reason);
      assert.equal(reason.metadata.get('grpc-retry-pushback-ms').length, 1);
    }
  },
};

for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`failed ${name}: ${error.message.replace(/\s+/g, ' ')}`);
  }
}
service.close();
healthClient.close();

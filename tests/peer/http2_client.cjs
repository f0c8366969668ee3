// Node's own HTTP/2 client.
//   node http2_client.cjs BASE BODY TARGET...   gets each target many times at once, and stores BODY meanwhile
//   node http2_client.cjs --hold BASE           stays connected until the server says goodbye; prints how
'use strict';
const fs = require('node:fs');
const http2 = require('node:http2');

function fetch(session, headers, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    let status = 0;
    const chunks = [];
    stream.on('response', (h) => { status = h[':status']; });
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => resolve({status, body: Buffer.concat(chunks)}));
    stream.on('error', reject);
    if (body) body.pipe(stream); else stream.end();
  });
}

async function get(base, file, targets) {
  const session = http2.connect(base);
  session.on('error', (fault) => { throw fault; });
  const all = [];
  for (let i = 0; i < 50; ++i) {
    for (const target of targets) all.push(fetch(session, {':path': target, accept: 'application/octet-stream'}));
  }
  const stored = await fetch(session, {
    ':method': 'POST', ':path': '/dicom-web/studies', accept: 'application/dicom+json',
    'content-type': 'multipart/related; type="application/dicom"; boundary=xyz'}, fs.createReadStream(file));
  if (stored.status !== 200) throw new Error(`store: ${stored.status} ${stored.body}`);
  const sizes = new Set();
  for (const one of await Promise.all(all)) {
    if (one.status !== 200) throw new Error(`frame: ${one.status}`);
    sizes.add(one.body.length);
  }
  if (sizes.size !== 1) throw new Error(`sizes ${[...sizes]}`);
  session.close();
}

async function hold(base) {
  const session = http2.connect(base);
  session.on('goaway', (code) => console.log(`goaway ${code}`));
  session.on('close', () => console.log('closed'));
  await fetch(session, {':path': '/healthz'});
  console.log('open');
}

const [first, ...rest] = process.argv.slice(2);
(first === '--hold' ? hold(rest[0]) : get(first, rest[0], rest.slice(1))).catch((fault) => {
  console.error(fault);
  process.exit(1);
});

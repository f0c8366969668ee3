// dicomweb-client and dcmjs against a server that runs: node client.cjs URL FILE... Exit status 0 when all holds; what
// does not is on standard error. The files are CT images of one series, one compressed image the last of them.
'use strict';
const assert = require('assert');
const fs = require('fs');
global.XMLHttpRequest = require('xhr2');
const { api } = require('dicomweb-client');
const dcmjs = require('dcmjs');
dcmjs.log.setLevel('error');
const { DicomMessage, DicomMetaDictionary } = dcmjs.data;

const [url, ...paths] = process.argv.slice(2);
const client = new api.DICOMwebClient({ url });
const buffer = (path) => { const b = fs.readFileSync(path); return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength); };
const bytes = (b) => Buffer.from(b);
const parse = (b) => DicomMessage.readFile(b);
const value = (item, tag) => (item[tag] && item[tag].Value ? item[tag].Value[0] : undefined);

const files = paths.map((p) => ({ bytes: buffer(p), data: parse(buffer(p)) }));
const uids = (f) => ({
  studyInstanceUID: value(f.data.dict, '0020000D'), seriesInstanceUID: value(f.data.dict, '0020000E'), sopInstanceUID: value(f.data.dict, '00080018'),
});
const series = files.slice(0, -1);
const compressed = files[files.length - 1];

// Text as a person compares it: numbers by their value, names by their groups, without padding.
function plain(v) {
  if (Array.isArray(v)) return v.map(plain);
  if (typeof v === 'string') { const t = v.trim(); return t !== '' && !isNaN(t) ? Number(t) : t; }
  if (v && typeof v === 'object' && !(v instanceof ArrayBuffer)) return 'Alphabetic' in v ? v.Alphabetic.replace(/\^+$/, '') : JSON.stringify(v);
  return v;
}

async function store() {
  for (const f of files) {
    const answer = JSON.parse(await client.storeInstances({ datasets: [f.bytes] }));
    assert.strictEqual(value(answer['00081199'].Value[0], '00081155'), uids(f).sopInstanceUID);
  }
  const again = JSON.parse(await client.storeInstances({ datasets: files.map((f) => f.bytes) }));
  assert.strictEqual(again['00081199'].Value.length, files.length);
}

async function search() {
  const { studyInstanceUID, seriesInstanceUID } = uids(series[0]);
  const patient = value(series[0].data.dict, '00100020');
  const studies = await client.searchForStudies({ queryParams: { PatientID: patient } });
  assert(studies.some((s) => value(s, '0020000D') === studyInstanceUID));
  const found = await client.searchForSeries({ studyInstanceUID });
  assert.deepStrictEqual(found.map((s) => value(s, '0020000E')), [seriesInstanceUID]);
  assert.strictEqual(value(found[0], '00201209'), series.length);
  const instances = await client.searchForInstances({ studyInstanceUID, seriesInstanceUID });
  assert.deepStrictEqual(instances.map((i) => value(i, '00080018')).sort(), series.map((f) => uids(f).sopInstanceUID).sort());
  assert.strictEqual((await client.searchForStudies({ queryParams: { PatientID: 'nobody at all' } })).length, 0);
}

// Each attribute of the metadata is what dcmjs reads from the file.
async function metadata() {
  const read = await client.retrieveSeriesMetadata(uids(series[0]));
  assert.strictEqual(read.length, series.length);
  let compared = 0;
  for (const one of read) {
    const file = series.find((f) => uids(f).sopInstanceUID === value(one, '00080018'));
    for (const [tag, element] of Object.entries(file.data.dict)) {
      if (tag === '00080005' || tag.endsWith('0000')) continue;
      assert(tag in one, `${tag} is not in the metadata`);
      if (['SQ', 'UN', 'OB', 'OW', 'AT'].includes(element.vr) || !one[tag].Value) continue;
      const ours = [].concat(plain(one[tag].Value)), theirs = [].concat(plain(element.Value));
      assert.deepStrictEqual(ours, theirs, `${tag} ${JSON.stringify(ours)} ${JSON.stringify(theirs)}`);
      ++compared;
    }
    const named = DicomMetaDictionary.naturalizeDataset(one);
    assert.strictEqual(named.SOPInstanceUID, uids(file).sopInstanceUID);
    assert.strictEqual(named.Rows, value(file.data.dict, '00280010'));
  }
  assert(compared > 30 * series.length, `only ${compared} attributes compared`);
  const one = await client.retrieveInstanceMetadata(uids(series[0]));
  assert.strictEqual(value(one[0] || one, '00080018'), uids(series[0]).sopInstanceUID);
}

async function retrieve() {
  for (const f of [series[0], compressed]) {
    assert(bytes(await client.retrieveInstance(uids(f))).equals(bytes(f.bytes)), 'an instance is not as it was stored');
  }
  const all = await client.retrieveSeries(uids(series[0]));
  assert.strictEqual(all.length, series.length);
  for (const one of all) assert(series.some((f) => bytes(f.bytes).equals(bytes(one))));
  // Another transfer syntax.
  for (const [f, syntax] of [[compressed, '1.2.840.10008.1.2.1'], [series[0], '1.2.840.10008.1.2.4.80'], [series[0], '1.2.840.10008.1.2.4.201']]) {
    // Without the client, which asks for no single instance so.
    const u = uids(f);
    const answer = await fetch(`${url}/studies/${u.studyInstanceUID}/series/${u.seriesInstanceUID}/instances/${u.sopInstanceUID}`,
      { headers: { Accept: `application/dicom; transfer-syntax=${syntax}` } });
    assert.strictEqual(answer.status, 200);
    const made = parse(await answer.arrayBuffer());
    assert.strictEqual(value(made.meta, '00020010'), syntax);
    assert.strictEqual(value(made.dict, '00080018'), uids(f).sopInstanceUID);
    assert.strictEqual(value(made.dict, '00280010'), value(f.data.dict, '00280010'));
  }
}

async function frames() {
  const [frame] = await client.retrieveInstanceFrames({ ...uids(series[0]), frameNumbers: [1] });
  assert(bytes(frame).equals(bytes(series[0].data.dict['7FE00010'].Value[0])), 'frame 1');
  // A viewer that takes what is stored, compressed or not.
  const mediaTypes = [{ mediaType: 'image/x-jls', transferSyntaxUID: '1.2.840.10008.1.2.4.80' }, { mediaType: 'application/octet-stream', transferSyntaxUID: '1.2.840.10008.1.2.1' }];
  const [coded] = await client.retrieveInstanceFrames({ ...uids(compressed), frameNumbers: [1], mediaTypes });
  assert(bytes(compressed.bytes).includes(bytes(coded).subarray(0, 64)), 'the coded frame');
  const [decoded] = await client.retrieveInstanceFrames({ ...uids(compressed), frameNumbers: [1] });
  const d = compressed.data.dict;
  assert.strictEqual(decoded.byteLength, value(d, '00280010') * value(d, '00280011') * 2);
  const picture = bytes([].concat(await client.retrieveInstanceRendered({ ...uids(series[0]), mediaTypes: [{ mediaType: 'image/png' }] }))[0]);
  assert.strictEqual(picture.subarray(1, 4).toString(), 'PNG');
  const [one] = await client.retrieveSeriesMetadata(uids(series[0]));
  const [bulk] = [].concat(await client.retrieveBulkData({ BulkDataURI: new URL(one['7FE00010'].BulkDataURI, url).href }));
  assert(bytes(bulk).length > 0);
}

// What dcmjs writes is taken, and found.
async function write() {
  const made = parse(series[0].bytes);
  const uid = DicomMetaDictionary.uid();
  made.dict['00080018'] = { vr: 'UI', Value: [uid] };
  made.dict['0008103E'] = { vr: 'LO', Value: ['written by dcmjs'] };
  made.meta['00020003'] = { vr: 'UI', Value: [uid] };
  const answer = JSON.parse(await client.storeInstances({ datasets: [made.write()] }));
  assert.strictEqual(value(answer['00081199'].Value[0], '00081155'), uid);
  const found = await client.searchForInstances({ queryParams: { SOPInstanceUID: uid, includefield: '0008103E' } });
  assert.strictEqual(found.length, 1);
}

(async () => {
  for (const step of [store, search, metadata, retrieve, frames, write]) {
    try {
      await step();
      console.log(`${step.name}: ok`);
    } catch (error) {
      const text = error instanceof Error ? error.stack : `${error.status || ''} ${error.statusText || error.message || error}`;
      console.error(`${step.name}: ${text}`);
      process.exitCode = 1;
    }
  }
})();

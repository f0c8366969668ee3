// OHIF in headless Chromium against a server that runs: node browser.cjs JOB.json, where the job is
//   {app, chromium, dicomweb, patient, study, series, pages, shots}
// It waits until the study list has the patient, opens the study with its `series` (how many), shows the images and
// writes to the folder `shots` what the decoder gave (N.samples) and what the canvas shows (N.canvas); then the server's own
// pages, by their addresses. One JSON object on standard output says what was seen; the judging is browser.py's.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const { chromium } = require('playwright-core');

const job = JSON.parse(fs.readFileSync(process.argv[2]));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json', '.svg': 'image/svg+xml' };

// What OHIF is told of the archive (its documentation, "Data Source").
const config = `window.config = ${JSON.stringify({
  routerBasename: '/', extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 2, investigationalUseDialog: { option: 'never' },
  defaultDataSourceName: 'cairn',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'cairn',
    configuration: {
      friendlyName: 'Cairn', name: 'cairn', wadoUriRoot: job.dicomweb, qidoRoot: job.dicomweb, wadoRoot: job.dicomweb, qidoSupportsIncludeField: true,
      imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true, supportsFuzzyMatching: true, supportsWildcard: true,
      singlepart: 'bulkdata,video', bulkDataURI: { enabled: true },
    },
  }],
})};`;

// The application as any site serves it: another origin than the archive's.
const site = http.createServer((request, response) => {
  const name = decodeURIComponent(new URL(request.url, 'http://site').pathname);
  if (name === '/app-config.js') return response.writeHead(200, { 'Content-Type': TYPES['.js'] }).end(config);
  let file = path.join(job.app, path.normalize(name));
  if (!file.startsWith(job.app) || !fs.existsSync(file) || fs.statSync(file).isDirectory()) file = path.join(job.app, 'index.html');
  response.writeHead(200, { 'Content-Type': TYPES[path.extname(file)] || 'application/octet-stream' });
  fs.createReadStream(file).pipe(response);
});

// In the page, for the functions below.
function tools() {
  window.base64 = (buffer) => {
    const bytes = new Uint8Array(buffer);
    let text = '';
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return btoa(text);
  };
  // What a canvas or an image shows, as red, green, blue and alpha of each pixel.
  window.shown = (source, width, height) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width, height];
    if (!width || !height) return { width: 0, height: 0, pixels: '' };
    const context = canvas.getContext('2d');
    context.drawImage(source, 0, 0);
    return { width, height, pixels: window.base64(context.getImageData(0, 0, width, height).data.buffer) };
  };
}

// In the page: the images of a display set, one after the other; of many only three.
async function showAll({ uid }) {
  const { displaySetService, viewportGridService, cornerstoneViewportService } = window.services;
  const until = async (what, condition) => {
    const end = Date.now() + 120000;
    for (;;) {
      const value = condition();
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const viewportId = viewportGridService.getActiveViewportId();
  viewportGridService.setDisplaySetsForViewport({ viewportId, displaySetInstanceUIDs: [uid] });
  const first = (displaySetService.getDisplaySetByUID(uid).imageIds || displaySetService.getDisplaySetByUID(uid).images.map((image) => image.imageId))[0];
  const viewport = await until('the viewport', () => {
    const found = cornerstoneViewportService.getCornerstoneViewport(viewportId);
    return found && found.getImageIds && found.getImageIds()[0] === first && found;
  });
  const ids = viewport.getImageIds();
  viewport.resetCamera();
  const seen = [];
  for (let index = 0; index < ids.length; index += ids.length > 5 ? Math.floor((ids.length - 1) / 2) : 1) {
    await viewport.setImageIdIndex(index);
    const image = await until('the image', () => viewport.csImage && viewport.csImage.imageId === ids[index] && viewport.csImage);
    viewport.resetProperties();
    const samples = image.voxelManager ? image.voxelManager.getScalarData() : image.getPixelData();
    const look = async () => {
      viewport.render();
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const canvas = viewport.getCanvas(), { imageData, dimensions } = viewport.getImageData();
      const corner = (i, j) => viewport.worldToCanvas(imageData.indexToWorld([i, j, 0])).map((x) => x * window.devicePixelRatio);
      return {
        dimensions, range: viewport.getProperties().voiRange, invert: viewport.getProperties().invert,
        corners: [corner(0, 0), corner(image.columns - 1, 0), corner(0, image.rows - 1)], canvas: window.shown(canvas, canvas.width, canvas.height),
      };
    };
    // The application goes on with its layout and windows for a while: what it has come to counts.
    let still = 0, shows = await look();
    for (const end = Date.now() + 30000; still < 3 && Date.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 80));
      const next = await look();
      still = JSON.stringify(next) === JSON.stringify(shows) ? still + 1 : 0;
      shows = next;
    }
    seen.push({
      imageId: ids[index], kind: samples.constructor.name, color: image.color, ...shows,
      samples: window.base64(samples.buffer.slice(samples.byteOffset, samples.byteOffset + samples.byteLength)),
    });
  }
  return seen;
}

(async () => {
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  const app = `http://127.0.0.1:${site.address().port}`;
  const browser = await chromium.launch({
    executablePath: job.chromium, headless: true,
    args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-dev-shm-usage'],
  });
  const out = { list: '', images: [], pages: [], answers: [], complaints: [] };
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 640 } });
    await context.addInitScript(tools);
    const page = await context.newPage();
    page.on('pageerror', (error) => out.complaints.push(String(error)));
    page.on('requestfailed', (request) => {
      const why = (request.failure() || {}).errorText;
      if (request.url().startsWith(job.dicomweb) && why !== 'net::ERR_ABORTED') out.complaints.push(`${request.url()}: ${why}`);
    });
    const network = await context.newCDPSession(page);
    await network.send('Network.enable');
    network.on('Network.responseReceived', ({ response }) => {
      if (response.url.startsWith(job.dicomweb)) out.answers.push([response.status, response.protocol, response.url.slice(job.dicomweb.length)]);
    });

    const began = Date.now(), mark = (what) => console.error(`${what} after ${Date.now() - began} ms`);
    await page.goto(app, { timeout: 180000 });
    await page.getByText(job.patient).first().waitFor({ timeout: 180000 });
    mark('list');
    out.list = await page.locator('body').innerText();
    await page.goto(`${app}/viewer?StudyInstanceUIDs=${job.study}`, { timeout: 180000 });
    await page.waitForFunction((series) => {
  const sets = window.services && window.services.displaySetService.getActiveDisplaySets();
      const grid = window.services && window.services.viewportGridService;
      return sets && sets.length >= series && grid.getActiveViewportId() && window.services.cornerstoneViewportService.getCornerstoneViewport(grid.getActiveViewportId());
    }, job.series, { timeout: 180000 });
    mark('viewer');
    const sets = await page.evaluate(() => window.services.displaySetService.getActiveDisplaySets().map((s) => ({ uid: s.displaySetInstanceUID, series: s.SeriesInstanceUID })));
    for (const set of sets) {
      for (const seen of await page.evaluate(showAll, set)) {
        const name = path.join(job.shots, String(out.images.length));
        fs.writeFileSync(`${name}.samples`, Buffer.from(seen.samples, 'base64'));
        fs.writeFileSync(`${name}.canvas`, Buffer.from(seen.canvas.pixels, 'base64'));
        delete seen.samples;
        delete seen.canvas.pixels;
        out.images.push({ ...seen, series: set.series });
      }
    }

    mark('shown');
    // The server's own pages, by the links that people hand on.
    for (const url of job.pages) {
      const answer = await page.goto(url, { timeout: 180000 });
      const pictures = await page.evaluate(() => Promise.all([...document.images].map(async (image) => {
        image.loading = 'eager';
        await image.decode().catch(() => 0);
        return window.shown(image, image.naturalWidth, image.naturalHeight);
      })));
      out.pages.push({ url, landed: page.url(), status: answer.status(), pictures });
    }
  } catch (error) {
    out.failure = String(error.stack || error);
  } finally {
    await browser.close();
    site.close();
    site.closeAllConnections();
  }
  process.stdout.write(JSON.stringify(out));
})();

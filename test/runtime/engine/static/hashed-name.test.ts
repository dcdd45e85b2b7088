// Owns the proof that only names with a hash in them are taken for such.
import { expect, test } from 'vitest';
import { hasHashInName } from '../../../../runtime/engine/static/hashed-name.ts';

test.each([
  'assets/index-DiwrgT4a.js', 'assets/index-B8_jv-Ku.css', 'assets/logo-a1B2c3D4.svg', 'web/assets/vendor-C0kPq9Zx.js', 'static/js/main.9c1a0b2f.js', 'static/js/2.1f0c9d8e.chunk.js', 'static/media/font.0123456789abcdef0123.woff2',
  '_next/static/chunks/framework-64ad27b21261a9ce.js', '_next/static/q3Xk0/_buildManifest.js', '_app/immutable/entry/start.js', '_nuxt/entry.DA4Ugn1B.js', '_nuxt/9c1a0b2f.js', '_astro/index.Bk3aD2x9.css',
  'index.3a4b5c6d.js', 'main-5AJ3K2QX.js', 'app.9c1a0b2f.min.js', 'my-app-9c1a0b2f.js',
])('%s has one', (path) => expect(hasHashInName(path)).toBe(true));

test.each([
  'index.html', 'app.js', 'assets/app.js', 'assets/my-settings.js', 'assets/my-dataView.js', 'assets/theme-Version2.css', 'assets/jquery-3.7.1.min.js', 'assets/photo-IMG_1234.jpg', 'assets/banner-20231205.png', 'banner.20231205120000.png',
  'assets/lib-v1_2_3_4.js', 'setup-Win10x64.exe', 'screens/shot-Win10x64.png', 'facade.js', 'deadbeef.js', 'assets/chart-effaced.js', 'service-worker.js', 'assets/react-production.js', 'manifest.webmanifest', 'app-COVID19B.js'.toLowerCase(), 'report-12345678.pdf',
  'next/static/app.js', 'my_app/immutable.js', 'assets/', 'a-9c1a0b2f', '',
])('%s has none', (path) => expect(hasHashInName(path)).toBe(false));

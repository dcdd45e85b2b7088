// Owns the names that a guest finds in its global scope.
import { AbortController, AbortSignal } from './abort.ts';
import { Blob, File } from './blob.ts';
import { CompressionStream, DecompressionStream } from './compression.ts';
import { console } from './console.ts';
import { Crypto, crypto } from './crypto.ts';
import { atob, btoa, TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream } from './encoding.ts';
import { QuotaExceededError } from './dom-exception.ts';
import { CloseEvent, CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent } from './events.ts';
import { fetch } from './fetch.ts';
import { FormData } from './form-data.ts';
import { Headers } from './headers.ts';
import { Performance, performance } from './performance.ts';
import { Request } from './request.ts';
import { Response } from './response.ts';
import { classes } from './stream.ts';
import { refuseToClone, structuredClone } from './structured-clone.ts';
import { CryptoKey, SubtleCrypto } from './subtle.ts';
import { clearTimeout, setInterval, setTimeout } from './timers.ts';
import { URL, URLSearchParams } from './url.ts';
import { URLPattern } from 'urlpattern-polyfill';
import { WebSocket, WebSocketPair } from './web-socket.ts';

const interfaces = {
  AbortController, AbortSignal, CloseEvent, CompressionStream, Crypto, CryptoKey, CustomEvent, DecompressionStream, ErrorEvent, Event, EventTarget, FormData,
  Headers, MessageEvent, Performance, Request, Response, SubtleCrypto, TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream, URL, URLPattern,
  URLSearchParams, WebSocket, WebSocketPair, ...classes,
};

class Navigator {
  get userAgent(): string { return 'Ownspace'; }
}

/** @param more functions that need what only the isolate's inside knows */
export function installGlobals(scope: object, more: Record<string, unknown>): void {
  const navigator = new Navigator();
  const names = {
    ...interfaces, ...more, Blob, File, Navigator, QuotaExceededError, atob, btoa, clearTimeout, clearInterval: clearTimeout, console, crypto, fetch, navigator, performance, setInterval,
    setTimeout, structuredClone, self: scope,
  };
  for (const [name, value] of Object.entries(names)) Object.defineProperty(scope, name, { value, writable: true, configurable: true, enumerable: false });
}

// Blob, File and errors are data; nothing else of these is.
refuseToClone(Object.values(interfaces) as (new () => object)[]);

// Owns DOMException. It is global as soon as this module ran: libraries of the web API look for it while they load.
import { defineInterface, domString } from './web-idl.ts';

const CODES: Record<string, number> = {
  IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5, NoModificationAllowedError: 7, NotFoundError: 8,
  NotSupportedError: 9, InUseAttributeError: 10, InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14,
  InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18, NetworkError: 19, AbortError: 20, URLMismatchError: 21, QuotaExceededError: 22,
  TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25,
};
const CONSTANTS: Record<string, number> = {
  INDEX_SIZE_ERR: 1, DOMSTRING_SIZE_ERR: 2, HIERARCHY_REQUEST_ERR: 3, WRONG_DOCUMENT_ERR: 4, INVALID_CHARACTER_ERR: 5, NO_DATA_ALLOWED_ERR: 6,
  NO_MODIFICATION_ALLOWED_ERR: 7, NOT_FOUND_ERR: 8, NOT_SUPPORTED_ERR: 9, INUSE_ATTRIBUTE_ERR: 10, INVALID_STATE_ERR: 11, SYNTAX_ERR: 12,
  INVALID_MODIFICATION_ERR: 13, NAMESPACE_ERR: 14, INVALID_ACCESS_ERR: 15, VALIDATION_ERR: 16, TYPE_MISMATCH_ERR: 17, SECURITY_ERR: 18,
  NETWORK_ERR: 19, ABORT_ERR: 20, URL_MISMATCH_ERR: 21, QUOTA_EXCEEDED_ERR: 22, TIMEOUT_ERR: 23, INVALID_NODE_TYPE_ERR: 24, DATA_CLONE_ERR: 25,
};

export class DOMException extends Error {
  #name: string;
  constructor(message: unknown = '', name: string | { name?: string; cause?: unknown } = 'Error') {
    const init = typeof name === 'object' && name !== null ? name : undefined;
    super(domString(message), init && 'cause' in init ? { cause: init.cause } : undefined);
    this.#name = domString(init ? init.name ?? 'Error' : name);
  }
  override get name(): string { return this.#name; }
  get code(): number { return CODES[this.#name] ?? 0; }
}
defineInterface(DOMException, { length: 0, constants: CONSTANTS });
interface QuotaOptions { quota?: number; requested?: number }

/** More was asked for than there is. */
export class QuotaExceededError extends DOMException {
  #options: QuotaOptions;
  constructor(message?: unknown, options: QuotaOptions = {}) {
    super(message, 'QuotaExceededError');
    this.#options = options;
  }
  get quota(): number | null { return this.#options.quota ?? null; }
  get requested(): number | null { return this.#options.requested ?? null; }
}
defineInterface(QuotaExceededError, { length: 0 });
Object.defineProperty(globalThis, 'DOMException', { value: DOMException, writable: true, configurable: true });

// Owns which names of variables a Spacefile may not take. Pure.

/** Variables that the host sets, or that change which code a process runs and whom it trusts. Compared in upper case. */
const RESERVED = new Set([
  'PORT', 'UVICORN_PORT', 'PATH', 'HOME', 'USER', 'SHELL', 'PWD', 'IFS', 'ENV', 'BASH_ENV', 'SHELLOPTS', 'BASHOPTS', 'PROMPT_COMMAND',
  'NODE_OPTIONS', 'NODE_PATH', 'NODE_EXTRA_CA_CERTS', 'NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_V8_COVERAGE', 'NODE_REPL_EXTERNAL_MODULE',
  'PYTHONPATH', 'PYTHONHOME', 'PYTHONSTARTUP', 'PYTHONINSPECT', 'PERL5OPT', 'PERL5LIB', 'RUBYOPT', 'RUBYLIB', 'JAVA_TOOL_OPTIONS',
  'SSL_CERT_FILE', 'SSL_CERT_DIR', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'OPENSSL_CONF', 'GCONV_PATH', 'GLIBC_TUNABLES',
  'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY', 'AWS_LAMBDA_FUNCTION_NAME', 'DETA_PROJECT_KEY', 'DETA_API_KEY',
]);
/** Not all of `DETA_`: apps for Deta Space have variables such as `DETA_COLLECTION_KEY` of their own. */
const RESERVED_PREFIXES = ['DETA_SPACE_', 'DETA_BASE_', 'DETA_DRIVE_', 'OWNSPACE_', 'LD_', 'DYLD_', 'BASH_FUNC_', 'NPM_CONFIG_'];
/** What an isolate finds in `env` besides its variables. */
const ISOLATE_BINDINGS = new Set(['Base', 'Drive', 'micros']);

/** Why a variable may not have this name, or undefined when it may. */
export function reservedReason(name: string, isIsolate: boolean): string | undefined {
  const upper = name.toUpperCase();
  if (RESERVED.has(upper) || name === '__proto__') return 'the name is reserved';
  const prefix = RESERVED_PREFIXES.find((start) => upper.startsWith(start));
  if (prefix !== undefined) return `names that begin with \`${prefix}\` are reserved`;
  return isIsolate && ISOLATE_BINDINGS.has(name) ? `\`env.${name}\` of an isolate is the platform's` : undefined;
}

// The loader of Node versions that run loaders in a thread of their own.
import followed from './followed_code.cjs';

export async function load(url, context, next) {
  return followed.withStatement(url, await next(url, context));
}

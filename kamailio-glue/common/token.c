/*
 * Variables that a text names which was built while the script ran.
 *
 * Kamailio keeps the name of each variable that it ever parsed. A text that a caller had a part in may name ever new ones,
 * so only so many different ones are ever parsed in a process.
 */
#include "shim.h"

#include "core/dprint.h"
#include "core/mem/mem.h"

#include <string.h>

/* Different variables, with their transformations, and the longest of them. */
#define TOKENS_MAX 256
#define TOKEN_BYTES_MAX 256

static str known[TOKENS_MAX];
static int count;
static int refused;

static int is_name(char letter)
{
	return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z')
		   || (letter >= '0' && letter <= '9') || letter == '_';
}

/* Where a variable ends whose `$` is at `at`: behind its name and what stands in parentheses. */
static const char *end_of(const char *at, const char *end)
{
	int depth = 0;

	for(at++; at < end && is_name(*at); at++)
		;
	if(at >= end || *at != '(')
		return at;
	for(; at < end; at++) {
		depth += *at == '(';
		depth -= *at == ')';
		if(depth == 0)
			return at + 1;
	}
	return end;
}

static int is_known(const char *token, size_t len)
{
	char *copy;
	int i;

	for(i = 0; i < count; i++)
		if((size_t)known[i].len == len && memcmp(known[i].s, token, len) == 0)
			return 1;
	if(count == TOKENS_MAX || len > TOKEN_BYTES_MAX)
		return 0;
	copy = pkg_malloc(len);
	if(copy == NULL) {
		PKG_MEM_ERROR;
		return 0;
	}
	memcpy(copy, token, len);
	known[count++] = (str){copy, (int)len};
	return 1;
}

int sipbus_text_may_name(const str *text)
{
	const char *end = text->s + text->len;
	const char *at = text->s;
	const char *next;

	while((at = memchr(at, '$', (size_t)(end - at))) != NULL) {
		next = end_of(at, end);
		if(!is_known(at, (size_t)(next - at))) {
			if(refused++ == 0)
				LM_ERR("a text that was built while the script ran names the "
					   "variable"
					   " %.*s: %d others were evaluated by now, further ones"
					   " are taken as text\n",
						(int)(next - at), at, count);
			return 0;
		}
		at = next;
	}
	return 1;
}

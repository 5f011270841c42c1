/* Compiled regular expressions, and finding their matches with PCRE2.
 *
 * PostgreSQL wants the longest of all matches that begin leftmost (or the shortest, 9.7.3.5); PCRE2's usual search takes the
 * first that its alternatives and quantifiers lead to. The two can differ as soon as there are alternatives or more than
 * one quantifier. Then PCRE2's other search (pcre2_dfa_match), which follows all ways at once, finds where the match ends;
 * and, where groups are wanted, the usual one runs again between those ends. That one search never takes exponential time,
 * so it also answers where the usual one gives up. It knows no references to groups: patterns with those match as PCRE2 has it.
 *
 * PCRE2's memory is a scope's that lives as long as the compiled pattern. What it needs much stack for runs on the core's
 * big stack. */
#include "sqlfront/value/text/pattern.h"

#include "base/fiber.h"
#include "base/world.h"
#include "sqlfront/value/text/text.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Steps of one search: some tenths of a second. Nothing that anybody waits for takes as many. */
#define STEPS_MAX 5000000
/* Memory of one search, in KiB, for places to come back to. */
#define SEARCH_KIBIBYTES_MAX (64 * 1024)
/* Threads of the search that follows all ways at once: room that grows up to this many integers (16 MiB). */
#define WAYS_ROOM     4096
#define WAYS_ROOM_MAX (4 * 1024 * 1024)

struct pattern {
    struct scope *scope;
    struct scheduler *scheduler;
    struct bytes text, letters; /* as given: to see whether the next call's are the same */
    bool global, shortest, certain, references;
    uint32_t groups;
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match, *ends;
    int *ways;
    size_t ways_room;
    struct pattern_span spans[];
};

/* ---- memory and stack ---- */

static void *memory_take(PCRE2_SIZE size, void *argument)
{
    struct scope *scope = argument;
    struct error ignored;
    void *memory = NULL;
    if (size <= SCOPE_SMALL_BYTES)
        return scope_alloc(scope, size);
    return scope_alloc_large(scope, size, 16, &memory, &ignored) ? NULL : memory;
}

/* Goes back with the scope. */
static void memory_give(void *memory, void *argument)
{
}

static void on_big_stack(struct scheduler *scheduler, void (*run)(void *argument), void *argument)
{
    if (scheduler && !fiber_is_on_big_stack(scheduler))
        fiber_call_on_big_stack(scheduler, run, argument);
    else
        run(argument);
}

/* ---- compiling ---- */

struct compilation {
    struct bytes text;
    uint32_t options;
    pcre2_compile_context *context;
    int code;
    PCRE2_SIZE place;
    pcre2_code *compiled;
};

static void compile(void *argument)
{
    struct compilation *c = argument;
    c->compiled = pcre2_compile(c->text.data, c->text.size, c->options, &c->code, &c->place, c->context);
}

static enum sqlstate not_compiled(int code, struct error *error)
{
    PCRE2_UCHAR message[160];
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    pcre2_get_error_message(code, message, sizeof message);
    return error_set(error, SQLSTATE_INVALID_REGULAR_EXPRESSION, "invalid regular expression: %s",
                     (const char *)message);
}

static enum sqlstate make(struct scope *scope, struct scheduler *scheduler,
                          const struct translation *translation, struct bytes text, struct bytes letters,
                          struct pattern **made, struct error *error)
{
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK | PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C;
    options |= translation->options.ignore_case ? PCRE2_CASELESS : 0;
    options |=
        translation->options.newline_anchors ? PCRE2_MULTILINE | PCRE2_ALT_CIRCUMFLEX : PCRE2_DOLLAR_ENDONLY;
    /* PCRE2 would make quantifiers possessive that nothing follows: then they would not be as short as can be. */
    options |= translation->shortest ? PCRE2_NO_AUTO_POSSESS : 0;
    pcre2_general_context *memory = pcre2_general_context_create(memory_take, memory_give, scope);
    struct compilation c = {.text = bytes_of(translation->out.data, translation->out.size),
                            .options = options,
                            .context = memory ? pcre2_compile_context_create(memory) : NULL};
    struct pattern *pattern =
        scope_alloc_zeroed(scope, sizeof *pattern + (translation->groups + 1) * sizeof pattern->spans[0]);
    if (!c.context)
        return not_compiled(PCRE2_ERROR_HEAP_FAILED, error);
    if (!c.text.data)
        c.text.data = (const uint8_t *)"";
    pcre2_set_newline(c.context, PCRE2_NEWLINE_LF);
    on_big_stack(scheduler, compile, &c);
    if (!c.compiled)
        return not_compiled(c.code, error);
    pattern->scope = scope;
    pattern->scheduler = scheduler;
    pattern->text = text;
    pattern->letters = letters;
    pattern->global = translation->options.global;
    pattern->shortest = translation->shortest;
    pattern->references = translation->references;
    pattern->certain =
        translation->references || (!translation->alternatives && translation->quantifiers < 2);
    pattern->groups = translation->groups;
    pattern->code = c.compiled;
    pattern->limits = pcre2_match_context_create(memory);
    pattern->match = pcre2_match_data_create(translation->groups + 1, memory);
    pattern->ends = pcre2_match_data_create(1, memory);
    if (!pattern->limits || !pattern->match || !pattern->ends)
        return not_compiled(PCRE2_ERROR_HEAP_FAILED, error);
    pcre2_set_match_limit(pattern->limits, STEPS_MAX);
    pcre2_set_heap_limit(pattern->limits, SEARCH_KIBIBYTES_MAX);
    *made = pattern;
    return SQLSTATE_OK;
}

static bool same(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The text may be longer than a scope gives at once. */
static enum sqlstate keep(struct scope *scope, struct bytes *bytes, struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = value_room(scope, bytes->size, &room, error);
    if (failed)
        return failed;
    if (bytes->size)
        memcpy(room, bytes->data, bytes->size);
    bytes->data = room;
    return SQLSTATE_OK;
}

enum sqlstate pattern_of(struct call *call, void **kept, const struct value *text,
                         const struct value *letters, struct pattern_options always, struct pattern **pattern)
{
    struct pattern *old = *kept;
    struct bytes wanted = value_view(text), options = letters ? value_view(letters) : bytes_of("", 0);
    if (old && same(old->text, wanted) && same(old->letters, options)) {
        *pattern = old;
        return SQLSTATE_OK;
    }
    *kept = NULL;
    if (old)
        scope_close(old->scope);
    struct translation translation;
    struct scope *scope = scope_open(call->scope_lasting, "pattern");
    enum sqlstate failed = pattern_options_read(options, &always, call->error);
    if (!failed)
        failed = pattern_translate(scope, wanted, &always, &translation, call->error);
    const char *whole;
    if (!failed)
        failed = text_end(&translation.out, &whole, call->error);
    if (!failed)
        failed = keep(scope, &wanted, call->error);
    if (!failed)
        failed = keep(scope, &options, call->error);
    struct scheduler *scheduler = call->environment->world ? call->environment->world->scheduler : NULL;
    if (!failed)
        failed = make(scope, scheduler, &translation, wanted, options, pattern, call->error);
    if (failed)
        scope_close(scope);
    else
        *kept = *pattern;
    return failed;
}

bool pattern_is_global(const struct pattern *pattern)
{
    return pattern->global;
}

uint32_t pattern_groups(const struct pattern *pattern)
{
    return pattern->groups;
}

/* ---- searching ---- */

static enum sqlstate search_failed(int code, struct error *error)
{
    if (code == PCRE2_ERROR_NOMEMORY)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "regular expression match takes too many steps");
}

/* The usual search. Gives PCRE2's answer. */
static int search(struct pattern *pattern, struct bytes text, size_t from, uint32_t options)
{
    return pcre2_match(pattern->code, text.data, text.size, from, options | PCRE2_NO_UTF_CHECK,
                       pattern->match, pattern->limits);
}

struct ways_search {
    struct pattern *pattern;
    struct bytes text;
    size_t from;
    int answer;
};

static void search_ways(void *argument)
{
    struct ways_search *s = argument;
    struct pattern *p = s->pattern;
    uint32_t options = PCRE2_NO_UTF_CHECK | (p->shortest ? PCRE2_DFA_SHORTEST : 0);
    s->answer = pcre2_dfa_match(p->code, s->text.data, s->text.size, s->from, options, p->ends, p->limits,
                                p->ways, p->ways_room);
}

/* The search along all ways, its room grown as it asks for. */
static int search_all_ways(struct pattern *pattern, struct bytes text, size_t from)
{
    struct ways_search s = {.pattern = pattern, .text = text, .from = from, .answer = PCRE2_ERROR_DFA_WSSIZE};
    while (s.answer == PCRE2_ERROR_DFA_WSSIZE) {
        if (pattern->ways)
            on_big_stack(pattern->scheduler, search_ways, &s);
        if (s.answer != PCRE2_ERROR_DFA_WSSIZE)
            break;
        size_t room = pattern->ways_room ? pattern->ways_room * 4 : WAYS_ROOM;
        struct error ignored;
        void *memory;
        if (room > WAYS_ROOM_MAX ||
            scope_alloc_large(pattern->scope, room * sizeof(int), 16, &memory, &ignored))
            return PCRE2_ERROR_MATCHLIMIT;
        if (pattern->ways)
            scope_free_large(pattern->scope, pattern->ways);
        pattern->ways = memory;
        pattern->ways_room = room;
    }
    return s.answer;
}

/* Whether there is any match. */
static int search_any(struct pattern *pattern, struct bytes text, size_t from)
{
    int answer = search(pattern, text, from, 0);
    bool gave_up = answer == PCRE2_ERROR_MATCHLIMIT || answer == PCRE2_ERROR_HEAPLIMIT;
    return gave_up && !pattern->references ? search_all_ways(pattern, text, from) : answer;
}

static void take_spans(struct pattern *pattern, const pcre2_match_data *match, uint32_t count)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer((pcre2_match_data *)match);
    for (uint32_t i = 0; i < count; i++)
        pattern->spans[i] = ends[2 * i] == PCRE2_UNSET ? (struct pattern_span){SIZE_MAX, SIZE_MAX}
                                                       : (struct pattern_span){ends[2 * i], ends[2 * i + 1]};
}

/* Finds the leftmost match of the length that is preferred, then what its groups matched. */
static int search_exactly(struct pattern *pattern, struct bytes text, size_t from)
{
    int answer = search_all_ways(pattern, text, from);
    if (answer < 0 &&
        answer != PCRE2_ERROR_NOMATCH) { /* something it does not know, or too much: the usual way */
        answer = search(pattern, text, from, 0);
        if (answer >= 0)
            take_spans(pattern, pattern->match, pattern->groups + 1);
        return answer;
    }
    if (answer < 0)
        return answer;
    take_spans(pattern, pattern->ends, 1);
    if (pattern->groups == 0)
        return answer;
    struct pattern_span whole = pattern->spans[0];
    int groups =
        search(pattern, bytes_of(text.data, whole.to), whole.from, PCRE2_ANCHORED | PCRE2_ENDANCHORED);
    if (groups < 0) /* what stands behind the match matters: \M, (?=...), $ at lines */
        groups = search(pattern, text, whole.from, PCRE2_ANCHORED);
    if (groups < 0)
        return groups;
    take_spans(pattern, pattern->match, pattern->groups + 1);
    return answer;
}

enum sqlstate pattern_find(struct pattern *pattern, struct bytes text, size_t from, bool *found,
                           const struct pattern_span **spans, struct error *error)
{
    if (!text.data)
        text.data = (const uint8_t *)"";
    *found = false;
    if (from > text.size)
        return SQLSTATE_OK;
    int answer;
    if (spans && !pattern->certain) {
        answer = search_exactly(pattern, text, from);
    } else {
        answer = spans ? search(pattern, text, from, 0) : search_any(pattern, text, from);
        if (answer >= 0 && spans)
            take_spans(pattern, pattern->match, pattern->groups + 1);
    }
    if (answer < 0 && answer != PCRE2_ERROR_NOMATCH)
        return search_failed(answer, error);
    *found = answer >= 0;
    if (spans)
        *spans = pattern->spans;
    return SQLSTATE_OK;
}

size_t pattern_next_from(struct bytes text, const struct pattern_span *match)
{
    if (match->from != match->to)
        return match->to;
    return match->to < text.size ? match->to + character_bytes(text.data[match->to]) : text.size + 1;
}

enum sqlstate pattern_parameter(struct call *call, const char *name, int64_t value, int64_t least)
{
    if (value >= least)
        return SQLSTATE_OK;
    return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "invalid value for parameter \"%s\": %d",
                     name, (int)value);
}

size_t pattern_start(struct bytes text, int64_t start)
{
    int64_t count = (int64_t)character_count(text);
    return start - 1 > count ? text.size + 1 : character_offset(text, (size_t)(start - 1));
}

/* Compiled regular expressions, and finding their matches with PCRE2.
 *
 * PostgreSQL wants the longest of all matches that begin leftmost (or the shortest, 9.7.3.5); PCRE2's usual search takes the
 * first that its alternatives and quantifiers lead to. The two can differ as soon as there are alternatives or more than
 * one quantifier. Then PCRE2's other search (pcre2_dfa_match), which follows all ways at once, finds where the match ends;
 * and, where groups are wanted, the usual one runs again between those ends. That one search never takes exponential time,
 * so it also answers where the usual one gives up. It knows no references to groups: patterns with those match as PCRE2 has it.
 *
 * A search of a short text is one call that nobody can interrupt. For a longer one, or one that took too many steps, the
 * expression is compiled once more with a callout before each of its items (PCRE2_AUTO_CALLOUT, half as fast); there the fiber
 * breathes, so such searches run on its own stack.
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
/* The same for a search that nobody can interrupt: some tens of milliseconds. */
#define STEPS_AT_ONCE 400000
/* Longer texts are searched so that it can be interrupted: where every place may look at all that follows, 2 KiB are
 * 2 million steps. */
#define BYTES_AT_ONCE 2048
/* Steps between two breaths. */
#define STEPS_OF_STRETCH 1024
/* Depth of one search along all ways on a fiber's own stack: groups that look ahead, within each other. */
#define WAYS_DEPTH_MAX 64
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
    struct bytes translated;
    uint32_t compile_options;
    pcre2_code *patient; /* can be interrupted; NULL = not needed so far */
    pcre2_match_context *limits, *patient_limits, *patient_ways_limits;
    struct environment *environment;
    struct error *error;    /* of the search under way */
    enum sqlstate canceled; /* the search under way was given up for this */
    size_t steps, at;       /* since the last breath; where the last callout was */
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

/* Where a patient search comes by. */
static int breathe(pcre2_callout_block *block, void *argument)
{
    struct pattern *pattern = argument;
    size_t at = block->current_position;
    pattern->steps += 1 + (at > pattern->at ? at - pattern->at : 0);
    pattern->at = at;
    if (pattern->steps < STEPS_OF_STRETCH)
        return 0;
    pattern->steps = 0;
    pattern->canceled = value_breathe(pattern->environment, pattern->error);
    return pattern->canceled ? PCRE2_ERROR_CALLOUT : 0;
}

static enum sqlstate compile_code(struct pattern *pattern, uint32_t options, pcre2_code **code,
                                  struct error *error)
{
    pcre2_general_context *memory = pcre2_general_context_create(memory_take, memory_give, pattern->scope);
    struct compilation c = {.text = pattern->translated,
                            .options = pattern->compile_options | options,
                            .context = memory ? pcre2_compile_context_create(memory) : NULL};
    if (!c.context)
        return not_compiled(PCRE2_ERROR_HEAP_FAILED, error);
    pcre2_set_newline(c.context, PCRE2_NEWLINE_LF);
    on_big_stack(pattern->scheduler, compile, &c);
    *code = c.compiled;
    return c.compiled ? SQLSTATE_OK : not_compiled(c.code, error);
}

static pcre2_match_context *limits_make(struct pattern *pattern, uint32_t steps, uint32_t depth)
{
    pcre2_general_context *memory = pcre2_general_context_create(memory_take, memory_give, pattern->scope);
    pcre2_match_context *limits = memory ? pcre2_match_context_create(memory) : NULL;
    if (!limits)
        return NULL;
    pcre2_set_match_limit(limits, steps);
    pcre2_set_heap_limit(limits, SEARCH_KIBIBYTES_MAX);
    if (depth)
        pcre2_set_depth_limit(limits, depth);
    pcre2_set_callout(limits, breathe, pattern);
    return limits;
}

static enum sqlstate make_patient(struct pattern *pattern, struct error *error)
{
    if (pattern->patient)
        return SQLSTATE_OK;
    pattern->patient_limits = limits_make(pattern, STEPS_MAX, 0);
    pattern->patient_ways_limits = limits_make(pattern, UINT32_MAX, WAYS_DEPTH_MAX);
    if (!pattern->patient_limits || !pattern->patient_ways_limits)
        return not_compiled(PCRE2_ERROR_HEAP_FAILED, error);
    return compile_code(pattern, PCRE2_AUTO_CALLOUT, &pattern->patient, error);
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
    struct pattern *pattern =
        scope_alloc_zeroed(scope, sizeof *pattern + (translation->groups + 1) * sizeof pattern->spans[0]);
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
    pattern->compile_options = options;
    pattern->translated =
        translation->out.data ? bytes_of(translation->out.data, translation->out.size) : bytes_of("", 0);
    enum sqlstate failed = compile_code(pattern, 0, &pattern->code, error);
    if (failed)
        return failed;
    pattern->limits = limits_make(pattern, STEPS_AT_ONCE, 0);
    pattern->match = memory ? pcre2_match_data_create(translation->groups + 1, memory) : NULL;
    pattern->ends = memory ? pcre2_match_data_create(1, memory) : NULL;
    if (!pattern->limits || !pattern->match || !pattern->ends)
        return not_compiled(PCRE2_ERROR_HEAP_FAILED, error);
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
        old->environment = call->environment;
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
    if (failed) {
        scope_close(scope);
        return failed;
    }
    (*pattern)->environment = call->environment;
    *kept = *pattern;
    return SQLSTATE_OK;
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

/* The usual search, of long texts so that it can be interrupted. Gives PCRE2's answer. */
static int search(struct pattern *pattern, struct bytes text, size_t from, uint32_t options)
{
    options |= PCRE2_NO_UTF_CHECK;
    if (text.size - from <= BYTES_AT_ONCE) {
        int answer =
            pcre2_match(pattern->code, text.data, text.size, from, options, pattern->match, pattern->limits);
        if (answer != PCRE2_ERROR_MATCHLIMIT)
            return answer;
    }
    struct error *error = pattern->error;
    pattern->canceled = make_patient(pattern, error);
    if (pattern->canceled)
        return PCRE2_ERROR_CALLOUT;
    return pcre2_match(pattern->patient, text.data, text.size, from, options, pattern->match,
                       pattern->patient_limits);
}

struct ways_search {
    struct pattern *pattern;
    struct bytes text;
    size_t from;
    bool patient;
    int answer;
};

static void search_ways(void *argument)
{
    struct ways_search *s = argument;
    struct pattern *p = s->pattern;
    uint32_t options = PCRE2_NO_UTF_CHECK | (p->shortest ? PCRE2_DFA_SHORTEST : 0);
    s->answer =
        pcre2_dfa_match(s->patient ? p->patient : p->code, s->text.data, s->text.size, s->from, options,
                        p->ends, s->patient ? p->patient_ways_limits : p->limits, p->ways, p->ways_room);
}

static int search_ways_somewhere(struct ways_search *s)
{
    struct pattern *pattern = s->pattern;
    s->patient = s->text.size - s->from > BYTES_AT_ONCE;
    if (!s->patient) {
        on_big_stack(pattern->scheduler, search_ways, s);
        return s->answer;
    }
    pattern->canceled = make_patient(pattern, pattern->error);
    if (!pattern->canceled && pattern->scheduler)
        pattern->canceled = fiber_check_stack(pattern->scheduler, pattern->error);
    if (pattern->canceled)
        return PCRE2_ERROR_CALLOUT;
    search_ways(s);
    return s->answer;
}

/* The search along all ways, its room grown as it asks for. */
static int search_all_ways(struct pattern *pattern, struct bytes text, size_t from)
{
    struct ways_search s = {.pattern = pattern, .text = text, .from = from, .answer = PCRE2_ERROR_DFA_WSSIZE};
    while (s.answer == PCRE2_ERROR_DFA_WSSIZE) {
        if (pattern->ways)
            s.answer = search_ways_somewhere(&s);
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
    if (answer == PCRE2_ERROR_CALLOUT)
        return answer;
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
    if (groups < 0 &&
        groups != PCRE2_ERROR_CALLOUT) /* what stands behind the match matters: \M, (?=...), $ at lines */
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
    pattern->error = error;
    pattern->canceled = SQLSTATE_OK;
    if (spans && !pattern->certain) {
        answer = search_exactly(pattern, text, from);
    } else {
        answer = spans ? search(pattern, text, from, 0) : search_any(pattern, text, from);
        if (answer >= 0 && spans)
            take_spans(pattern, pattern->match, pattern->groups + 1);
    }
    if (pattern->canceled)
        return pattern->canceled;
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

/* TPC-H tables as text for COPY: tpch_generate SCALE TABLE > TABLE.tbl, columns separated by '|'.
 *
 * Sizes, keys, distributions and texts are those of the specification (TPC-H 3.0.1, clause 4.2.3), drawn with a generator of
 * our own: a row is a function of its key alone, so tables can be made in any order and agree with each other. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- drawing ---- */

struct draw {
    uint64_t state;
};

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static struct draw draw_for(uint64_t table, uint64_t key)
{
    return (struct draw){.state = mix(table * 0x632be59bd9b4e019u ^ mix(key))};
}

static uint64_t draw_next(struct draw *draw)
{
    return draw->state = mix(draw->state);
}

/* Evenly from low to high, both included. */
static int64_t draw_int(struct draw *draw, int64_t low, int64_t high)
{
    return low + (int64_t)(draw_next(draw) % (uint64_t)(high - low + 1));
}

#define COUNT(list)      (sizeof(list) / sizeof((list)[0]))
#define PICK(draw, list) ((list)[draw_next(draw) % COUNT(list)])

/* ---- words ---- */

static const char *const colors[] = {
    "almond",    "antique",    "aquamarine", "azure",     "beige",     "bisque",     "black",     "blanched",
    "blue",      "blush",      "brown",      "burlywood", "burnished", "chartreuse", "chiffon",   "chocolate",
    "coral",     "cornflower", "cornsilk",   "cream",     "cyan",      "dark",       "deep",      "dim",
    "dodger",    "drab",       "firebrick",  "floral",    "forest",    "frosted",    "gainsboro", "ghost",
    "goldenrod", "green",      "grey",       "honeydew",  "hot",       "indian",     "ivory",     "khaki",
    "lace",      "lavender",   "lawn",       "lemon",     "light",     "lime",       "linen",     "magenta",
    "maroon",    "medium",     "metallic",   "midnight",  "mint",      "misty",      "moccasin",  "navajo",
    "navy",      "olive",      "orange",     "orchid",    "pale",      "papaya",     "peach",     "peru",
    "pink",      "plum",       "powder",     "puff",      "purple",    "red",        "rose",      "rosy",
    "royal",     "saddle",     "salmon",     "sandy",     "seashell",  "sienna",     "sky",       "slate",
    "smoke",     "snow",       "spring",     "steel",     "tan",       "thistle",    "tomato",    "turquoise",
    "violet",    "wheat",      "white",      "yellow"};
static const char *const type_1[] = {"STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"};
static const char *const type_2[] = {"ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"};
static const char *const type_3[] = {"TIN", "NICKEL", "BRASS", "STEEL", "COPPER"};
static const char *const container_1[] = {"SM", "LG", "MED", "JUMBO", "WRAP"};
static const char *const container_2[] = {"CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM"};
static const char *const segments[] = {"AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD"};
static const char *const priorities[] = {"1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"};
static const char *const instructions[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"};
static const char *const modes[] = {"REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"};
static const char *const regions[] = {"AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"};
static const struct {
    const char *name;
    int region;
} nations[] = {
    {"ALGERIA", 0},      {"ARGENTINA", 1},  {"BRAZIL", 1},  {"CANADA", 1},         {"EGYPT", 4},
    {"ETHIOPIA", 0},     {"FRANCE", 3},     {"GERMANY", 3}, {"INDIA", 2},          {"INDONESIA", 2},
    {"IRAN", 4},         {"IRAQ", 4},       {"JAPAN", 2},   {"JORDAN", 4},         {"KENYA", 0},
    {"MOROCCO", 0},      {"MOZAMBIQUE", 0}, {"PERU", 1},    {"CHINA", 2},          {"ROMANIA", 3},
    {"SAUDI ARABIA", 4}, {"VIETNAM", 2},    {"RUSSIA", 3},  {"UNITED KINGDOM", 3}, {"UNITED STATES", 1}};
static const char *const nouns[] = {
    "foxes",      "ideas",          "theodolites", "pinto beans", "instructions", "dependencies", "excuses",
    "platelets",  "asymptotes",     "courts",      "dolphins",    "multipliers",  "sauternes",    "warthogs",
    "frets",      "dinos",          "attainments", "somas",       "Tiresias",     "patterns",     "forges",
    "braids",     "hockey players", "frays",       "warhorses",   "dugouts",      "notornis",     "epitaphs",
    "pearls",     "tithes",         "waters",      "orbits",      "gifts",        "sheaves",      "depths",
    "sentiments", "decoys",         "realms",      "pains",       "grouches",     "escapades"};
static const char *const verbs[] = {
    "sleep",  "wake",   "are",       "cajole",   "haggle", "nag",   "use",     "boost",
    "affix",  "detect", "integrate", "maintain", "nod",    "was",   "lose",    "sublate",
    "solve",  "thrash", "promise",   "engage",   "hinder", "print", "x-ray",   "breach",
    "eat",    "grow",   "impress",   "mold",     "poach",  "serve", "run",     "dazzle",
    "snooze", "doze",   "unwind",    "kindle",   "play",   "hang",  "believe", "doubt"};
static const char *const adjectives[] = {"special",  "pending",   "unusual",  "express", "furious", "sly",
                                         "careful",  "blithe",    "quick",    "fluffy",  "slow",    "quiet",
                                         "ruthless", "thin",      "close",    "dogged",  "daring",  "brave",
                                         "stealthy", "permanent", "enticing", "idle",    "busy",    "regular",
                                         "final",    "ironic",    "even",     "bold",    "silent"};
static const char *const adverbs[] = {
    "sometimes", "always",    "never",   "furiously",  "slyly",       "carefully",  "blithely",
    "quickly",   "fluffily",  "slowly",  "quietly",    "ruthlessly",  "thinly",     "closely",
    "doggedly",  "daringly",  "bravely", "stealthily", "permanently", "enticingly", "idly",
    "busily",    "regularly", "finally", "ironically", "evenly",      "boldly",     "silently"};
static const char *const prepositions[] = {
    "about",       "above",  "according to", "across",  "after",      "against", "along",  "among",
    "around",      "at",     "atop",         "before",  "behind",     "beneath", "beside", "besides",
    "between",     "beyond", "by",           "despite", "during",     "except",  "for",    "from",
    "in place of", "inside", "instead of",   "into",    "near",       "of",      "on",     "outside",
    "over",        "past",   "since",        "through", "throughout", "to",      "toward", "under",
    "until",       "up",     "upon",         "without", "with",       "within"};

/* "special requests ..." appear in the specification's texts by way of its grammar; `requests`, `packages`, `accounts` and
 * `deposits` are its most frequent nouns. */
static const char *noun(struct draw *draw)
{
    static const char *const frequent[] = {"packages", "requests", "accounts", "deposits"};
    return draw_int(draw, 0, 99) < 40 ? PICK(draw, frequent) : PICK(draw, nouns);
}

/* Text of a length evenly from low to high. */
static void put_text(struct draw *draw, int low, int high)
{
    char text[512];
    int length = (int)draw_int(draw, low, high), used = 0;
    while (used < length) {
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%s %s %s", used ? " " : "",
                         draw_int(draw, 0, 1) ? PICK(draw, adjectives) : PICK(draw, adverbs), noun(draw),
                         PICK(draw, verbs));
        if (used < length && draw_int(draw, 0, 1))
            used += snprintf(text + used, sizeof text - (size_t)used, " %s the %s", PICK(draw, prepositions),
                             noun(draw));
        if (used < length && draw_int(draw, 0, 2) == 0)
            used += snprintf(text + used, sizeof text - (size_t)used, ".");
    }
    text[length] = '\0';
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '.';
    fputs(text, stdout);
}

static void put_address(struct draw *draw)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ, ";
    int length = (int)draw_int(draw, 10, 40);
    for (int i = 0; i < length; i++) {
        char c = letters[draw_next(draw) % (sizeof letters - 1)];
        putchar(i == 0 || i == length - 1 ? 'x' : c);
    }
}

static void put_phone(struct draw *draw, int nation)
{
    printf("%d-%d-%d-%d", nation + 10, (int)draw_int(draw, 100, 999), (int)draw_int(draw, 100, 999),
           (int)draw_int(draw, 1000, 9999));
}

static void put_money(int64_t cents)
{
    printf("%s%lld.%02lld", cents < 0 ? "-" : "", (long long)llabs(cents) / 100,
           (long long)llabs(cents) % 100);
}

/* Days since 1992-01-01. */
static void put_date(int days)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 1992, month = 0;
    for (;;) {
        int length = year % 4 == 0 ? 366 : 365;
        if (days < length)
            break;
        days -= length;
        year++;
    }
    for (;;) {
        int length = month_days[month] + (month == 1 && year % 4 == 0);
        if (days < length)
            break;
        days -= length;
        month++;
    }
    printf("%d-%02d-%02d", year, month + 1, days + 1);
}

#define DAYS_LAST    2556 /* 1998-12-31 */
#define DAYS_CURRENT 1263 /* 1995-06-17 */

/* ---- tables ---- */

enum table { REGION = 1, NATION, SUPPLIER, CUSTOMER, PART, PARTSUPP, ORDERS, LINEITEM };

static int64_t parts, suppliers, customers, orders;

static int64_t part_price(int64_t part)
{
    return 90000 + (part / 10) % 20001 + 100 * (part % 1000);
}

static int64_t part_supplier(int64_t part, int64_t i)
{
    return (part + i * (suppliers / 4 + (part - 1) / suppliers)) % suppliers + 1;
}

/* Only the first 8 of each 32 keys are used. */
static int64_t order_key(int64_t number)
{
    return (number - 1) / 8 * 32 + (number - 1) % 8 + 1;
}

static void put_region(void)
{
    for (int i = 0; i < (int)COUNT(regions); i++) {
        struct draw draw = draw_for(REGION, (uint64_t)i);
        printf("%d|%s|", i, regions[i]);
        put_text(&draw, 31, 115);
        putchar('\n');
    }
}

static void put_nation(void)
{
    for (int i = 0; i < (int)COUNT(nations); i++) {
        struct draw draw = draw_for(NATION, (uint64_t)i);
        printf("%d|%s|%d|", i, nations[i].name, nations[i].region);
        put_text(&draw, 31, 114);
        putchar('\n');
    }
}

static void put_supplier(void)
{
    for (int64_t key = 1; key <= suppliers; key++) {
        struct draw draw = draw_for(SUPPLIER, (uint64_t)key);
        int nation = (int)draw_int(&draw, 0, 24);
        printf("%lld|Supplier#%09lld|", (long long)key, (long long)key);
        put_address(&draw);
        printf("|%d|", nation);
        put_phone(&draw, nation);
        putchar('|');
        put_money(draw_int(&draw, -99999, 999999));
        putchar('|');
        /* Five of 10,000 complain, five recommend. */
        int64_t kind = (int64_t)(mix((uint64_t)key ^ 77) % 10000);
        if (kind < 10) {
            put_text(&draw, 5, 15);
            fputs("Customer ", stdout);
            put_text(&draw, 5, 15);
            fputs(kind < 5 ? "Complaints" : "Recommends", stdout);
        } else {
            put_text(&draw, 25, 100);
        }
        putchar('\n');
    }
}

static void put_customer(void)
{
    for (int64_t key = 1; key <= customers; key++) {
        struct draw draw = draw_for(CUSTOMER, (uint64_t)key);
        int nation = (int)draw_int(&draw, 0, 24);
        printf("%lld|Customer#%09lld|", (long long)key, (long long)key);
        put_address(&draw);
        printf("|%d|", nation);
        put_phone(&draw, nation);
        putchar('|');
        put_money(draw_int(&draw, -99999, 999999));
        printf("|%s|", PICK(&draw, segments));
        put_text(&draw, 29, 116);
        putchar('\n');
    }
}

static void put_part(void)
{
    for (int64_t key = 1; key <= parts; key++) {
        struct draw draw = draw_for(PART, (uint64_t)key);
        const char *name[5];
        for (int i = 0; i < 5;) { /* five different ones */
            bool again = false;
            name[i] = PICK(&draw, colors);
            for (int j = 0; j < i; j++)
                again |= name[j] == name[i];
            i += !again;
        }
        int maker = (int)draw_int(&draw, 1, 5);
        printf("%lld|%s %s %s %s %s|Manufacturer#%d|Brand#%d%d|", (long long)key, name[0], name[1], name[2],
               name[3], name[4], maker, maker, (int)draw_int(&draw, 1, 5));
        const char *one = PICK(&draw, type_1), *two = PICK(&draw, type_2), *three = PICK(&draw, type_3);
        int size = (int)draw_int(&draw, 1, 50);
        const char *box = PICK(&draw, container_1), *kind = PICK(&draw, container_2);
        printf("%s %s %s|%d|%s %s|", one, two, three, size, box, kind);
        put_money(part_price(key));
        putchar('|');
        put_text(&draw, 5, 22);
        putchar('\n');
    }
}

static void put_partsupp(void)
{
    for (int64_t key = 1; key <= parts; key++)
        for (int64_t i = 0; i < 4; i++) {
            struct draw draw = draw_for(PARTSUPP, (uint64_t)(key * 4 + i));
            printf("%lld|%lld|%lld|", (long long)key, (long long)part_supplier(key, i),
                   (long long)draw_int(&draw, 1, 9999));
            put_money(draw_int(&draw, 100, 100000));
            putchar('|');
            put_text(&draw, 49, 198);
            putchar('\n');
        }
}

struct line {
    int64_t part, supplier, quantity, price, discount, tax;
    int ship, commit, receipt;
    bool open;
    char returned;
};

static struct line line_draw(struct draw *draw, int order_date)
{
    struct line line = {.part = draw_int(draw, 1, parts)};
    line.supplier = part_supplier(line.part, draw_int(draw, 0, 3));
    line.quantity = draw_int(draw, 1, 50);
    line.price = line.quantity * part_price(line.part);
    line.discount = draw_int(draw, 0, 10);
    line.tax = draw_int(draw, 0, 8);
    line.ship = order_date + (int)draw_int(draw, 1, 121);
    line.commit = order_date + (int)draw_int(draw, 30, 90);
    line.receipt = line.ship + (int)draw_int(draw, 1, 30);
    line.open = line.ship > DAYS_CURRENT;
    line.returned = line.receipt <= DAYS_CURRENT ? (draw_int(draw, 0, 1) ? 'R' : 'A') : 'N';
    return line;
}

static void put_line(struct draw *draw, int64_t order, int number, const struct line *line)
{
    printf("%lld|%lld|%lld|%d|%lld|", (long long)order, (long long)line->part, (long long)line->supplier,
           number, (long long)line->quantity);
    put_money(line->price);
    printf("|0.%02d|0.%02d|%c|%c|", (int)line->discount, (int)line->tax, line->returned,
           line->open ? 'O' : 'F');
    put_date(line->ship);
    putchar('|');
    put_date(line->commit);
    putchar('|');
    put_date(line->receipt);
    printf("|%s|%s|", PICK(draw, instructions), PICK(draw, modes));
    put_text(draw, 10, 43);
    putchar('\n');
}

/* An order and its lines come from one draw; `lines` says which of the two is written. */
static void put_orders(bool lines)
{
    for (int64_t number = 1; number <= orders; number++) {
        struct draw draw = draw_for(ORDERS, (uint64_t)number);
        int64_t key = order_key(number), customer = draw_int(&draw, 1, customers), total = 0;
        while (customer % 3 == 0) /* a third of the customers never orders */
            customer = draw_int(&draw, 1, customers);
        int date = (int)draw_int(&draw, 0, DAYS_LAST - 151), count = (int)draw_int(&draw, 1, 7), open = 0;
        for (int i = 1; i <= count; i++) {
            struct draw own = draw_for(LINEITEM, (uint64_t)(key * 8 + i));
            struct line line = line_draw(&own, date);
            if (lines)
                put_line(&own, key, i, &line);
            total += line.price * (100 - line.discount) / 100 * (100 + line.tax) / 100;
            open += line.open;
        }
        if (lines)
            continue;
        printf("%lld|%lld|%c|", (long long)key, (long long)customer,
               open == count ? 'O'
               : open == 0   ? 'F'
                             : 'P');
        put_money(total);
        putchar('|');
        put_date(date);
        int64_t clerks = orders / 1500 > 0 ? orders / 1500 : 1;
        printf("|%s|Clerk#%09lld|0|", PICK(&draw, priorities), (long long)draw_int(&draw, 1, clerks));
        put_text(&draw, 19, 78);
        putchar('\n');
    }
}

static int64_t scaled(double scale, int64_t at_one)
{
    int64_t rows = (int64_t)(scale * (double)at_one + 0.5);
    return rows < 4 ? 4 : rows;
}

int main(int count, char **arguments)
{
    if (count != 3 || atof(arguments[1]) <= 0) {
        fputs("usage: tpch_generate SCALE region|nation|supplier|customer|part|partsupp|orders|lineitem\n",
              stderr);
        return 2;
    }
    double scale = atof(arguments[1]);
    const char *table = arguments[2];
    parts = scaled(scale, 200000);
    suppliers = scaled(scale, 10000);
    customers = scaled(scale, 150000);
    orders = scaled(scale, 1500000);
    if (strcmp(table, "region") == 0)
        put_region();
    else if (strcmp(table, "nation") == 0)
        put_nation();
    else if (strcmp(table, "supplier") == 0)
        put_supplier();
    else if (strcmp(table, "customer") == 0)
        put_customer();
    else if (strcmp(table, "part") == 0)
        put_part();
    else if (strcmp(table, "partsupp") == 0)
        put_partsupp();
    else if (strcmp(table, "orders") == 0 || strcmp(table, "lineitem") == 0)
        put_orders(table[0] == 'l');
    else
        return 2;
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

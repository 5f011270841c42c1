/* The initial population of TPC-C, clause 4.3.3, by COPY. */
#include "bench/client/tpcc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const schema[] = {
    "drop table if exists order_line, new_order, orders, history, customer, stock, district, item, warehouse",
    "create table warehouse (w_id integer primary key, w_name varchar(10), w_street_1 varchar(20), "
    "w_street_2 varchar(20),"
    " w_city varchar(20), w_state char(2), w_zip char(9), w_tax numeric(4,4), w_ytd numeric(12,2))",
    "create table district (d_w_id integer, d_id integer, d_name varchar(10), d_street_1 varchar(20), "
    "d_street_2 varchar(20),"
    " d_city varchar(20), d_state char(2), d_zip char(9), d_tax numeric(4,4), d_ytd numeric(12,2), "
    "d_next_o_id integer,"
    " primary key (d_w_id, d_id))",
    "create table customer (c_w_id integer, c_d_id integer, c_id integer, c_first varchar(16), c_middle "
    "char(2),"
    " c_last varchar(16), c_street_1 varchar(20), c_street_2 varchar(20), c_city varchar(20), c_state "
    "char(2), c_zip char(9),"
    " c_phone char(16), c_since timestamp, c_credit char(2), c_credit_lim numeric(12,2), c_discount "
    "numeric(4,4),"
    " c_balance numeric(12,2), c_ytd_payment numeric(12,2), c_payment_cnt numeric(4), c_delivery_cnt "
    "numeric(4),"
    " c_data varchar(500), primary key (c_w_id, c_d_id, c_id))",
    "create table history (h_c_id integer, h_c_d_id integer, h_c_w_id integer, h_d_id integer, h_w_id "
    "integer,"
    " h_date timestamp, h_amount numeric(6,2), h_data varchar(24))",
    "create table orders (o_w_id integer, o_d_id integer, o_id integer, o_c_id integer, o_entry_d timestamp,"
    " o_carrier_id integer, o_ol_cnt numeric(2), o_all_local numeric(1), primary key (o_w_id, o_d_id, o_id))",
    "create table new_order (no_w_id integer, no_d_id integer, no_o_id integer, primary key (no_w_id, "
    "no_d_id, no_o_id))",
    "create table item (i_id integer primary key, i_im_id integer, i_name varchar(24), i_price numeric(5,2),"
    " i_data varchar(50))",
    "create table stock (s_w_id integer, s_i_id integer, s_quantity numeric(4), s_dist_01 char(24), "
    "s_dist_02 char(24),"
    " s_dist_03 char(24), s_dist_04 char(24), s_dist_05 char(24), s_dist_06 char(24), s_dist_07 char(24), "
    "s_dist_08 char(24),"
    " s_dist_09 char(24), s_dist_10 char(24), s_ytd numeric(8), s_order_cnt numeric(4), s_remote_cnt "
    "numeric(4),"
    " s_data varchar(50), primary key (s_w_id, s_i_id))",
    "create table order_line (ol_w_id integer, ol_d_id integer, ol_o_id integer, ol_number integer, ol_i_id "
    "integer,"
    " ol_supply_w_id integer, ol_delivery_d timestamp, ol_quantity numeric(2), ol_amount numeric(6,2), "
    "ol_dist_info char(24),"
    " primary key (ol_w_id, ol_d_id, ol_o_id, ol_number))",
    NULL};
static const char *const indexes[] = {
    "create index customer_name on customer (c_w_id, c_d_id, c_last, c_first)",
    "create index orders_customer on orders (o_w_id, o_d_id, o_c_id, o_id)", NULL};

static const char now[] = "2026-01-01 00:00:00";

struct tpcc_sizes tpcc_sizes(const struct options *options)
{
    struct tpcc_sizes sizes = {
        .warehouses = options->scale, .items = 100000 / options->shrink, .customers = 3000 / options->shrink};
    sizes.last_names = sizes.customers < 1000 ? sizes.customers : 1000;
    return sizes;
}

int64_t nu_rand(struct dice *dice, int64_t a, int64_t c, int64_t low, int64_t high)
{
    return ((dice_int(dice, 0, a) | dice_int(dice, low, high)) + c) % (high - low + 1) + low;
}

void last_name(int64_t number, char text[LAST_NAME_BYTES])
{
    static const char *const syllables[] = {"BAR", "OUGHT", "ABLE",  "PRI",   "PRES",
                                            "ESE", "ANTI",  "CALLY", "ATION", "EING"};
    snprintf(text, LAST_NAME_BYTES, "%s%s%s", syllables[number / 100 % 10], syllables[number / 10 % 10],
             syllables[number % 10]);
}

void random_letters(struct dice *dice, int low, int high, char *text)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    int length = (int)dice_int(dice, low, high);
    for (int i = 0; i < length; i++)
        text[i] = letters[dice_int(dice, 0, sizeof letters - 2)];
    text[length] = '\0';
}

/* Street, street, city, state, zip: the middle of three tables. */
static void put_address(struct copy *copy, struct dice *dice)
{
    char street[21], more[21], city[21], state[3];
    random_letters(dice, 10, 20, street);
    random_letters(dice, 10, 20, more);
    random_letters(dice, 10, 20, city);
    random_letters(dice, 2, 2, state);
    copy_put(copy, "%s\t%s\t%s\t%s\t%04d11111\t", street, more, city, state, (int)dice_int(dice, 0, 9999));
}

/* Text of a length, with ORIGINAL in one of ten. */
static void original_text(struct dice *dice, int low, int high, char *text)
{
    random_letters(dice, low, high, text);
    if (dice_int(dice, 1, 10) == 1)
        memcpy(text + dice_int(dice, 0, (int64_t)strlen(text) - 8), "ORIGINAL", 8);
}

static bool load_items(PGconn *connection, struct dice *dice, const struct tpcc_sizes *sizes)
{
    struct copy copy;
    if (!copy_begin(&copy, connection, "copy item from stdin"))
        return false;
    for (int64_t item = 1; item <= sizes->items; item++) {
        char name[25], data[51];
        random_letters(dice, 14, 24, name);
        original_text(dice, 26, 50, data);
        copy_put(&copy, "%lld\t%d\t%s\t%.2f\t%s\n", (long long)item, (int)dice_int(dice, 1, 10000), name,
                 (double)dice_int(dice, 100, 10000) / 100, data);
    }
    return copy_end(&copy);
}

static bool load_warehouses(PGconn *connection, struct dice *dice, const struct tpcc_sizes *sizes)
{
    struct copy copy;
    char name[11];
    if (!copy_begin(&copy, connection, "copy warehouse from stdin"))
        return false;
    for (int64_t warehouse = 1; warehouse <= sizes->warehouses; warehouse++) {
        random_letters(dice, 6, 10, name);
        copy_put(&copy, "%lld\t%s\t", (long long)warehouse, name);
        put_address(&copy, dice);
        copy_put(&copy, "%.4f\t%lld.00\n", (double)dice_int(dice, 0, 2000) / 10000,
                 (long long)(sizes->customers * DISTRICTS * 10));
    }
    if (!copy_end(&copy) || !copy_begin(&copy, connection, "copy district from stdin"))
        return false;
    for (int64_t warehouse = 1; warehouse <= sizes->warehouses; warehouse++)
        for (int district = 1; district <= DISTRICTS; district++) {
            random_letters(dice, 6, 10, name);
            copy_put(&copy, "%lld\t%d\t%s\t", (long long)warehouse, district, name);
            put_address(&copy, dice);
            copy_put(&copy, "%.4f\t%lld.00\t%lld\n", (double)dice_int(dice, 0, 2000) / 10000,
                     (long long)(sizes->customers * 10), (long long)(sizes->customers + 1));
        }
    return copy_end(&copy);
}

static bool load_stock(PGconn *connection, struct dice *dice, const struct tpcc_sizes *sizes)
{
    struct copy copy;
    if (!copy_begin(&copy, connection, "copy stock from stdin"))
        return false;
    for (int64_t warehouse = 1; warehouse <= sizes->warehouses; warehouse++)
        for (int64_t item = 1; item <= sizes->items; item++) {
            char text[51];
            copy_put(&copy, "%lld\t%lld\t%d\t", (long long)warehouse, (long long)item,
                     (int)dice_int(dice, 10, 100));
            for (int district = 1; district <= DISTRICTS; district++) {
                random_letters(dice, 24, 24, text);
                copy_put(&copy, "%s\t", text);
            }
            original_text(dice, 26, 50, text);
            copy_put(&copy, "0\t0\t0\t%s\n", text);
        }
    return copy_end(&copy);
}

static void put_customer(struct copy *copy, struct dice *dice, const struct tpcc_sizes *sizes,
                         int64_t warehouse, int district, int64_t customer)
{
    char first[17], last[LAST_NAME_BYTES], data[501];
    random_letters(dice, 8, 16, first);
    int64_t name = customer <= 1000 ? customer - 1 : nu_rand(dice, 255, C_LOAD, 0, 999);
    last_name(name % sizes->last_names, last);
    copy_put(copy, "%lld\t%d\t%lld\t%s\tOE\t%s\t", (long long)warehouse, district, (long long)customer, first,
             last);
    put_address(copy, dice);
    random_letters(dice, 300, 500, data);
    copy_put(copy, "%08d%08d\t%s\t%s\t50000.00\t%.4f\t-10.00\t10.00\t1\t0\t%s\n",
             (int)dice_int(dice, 0, 99999999), (int)dice_int(dice, 0, 99999999), now,
             dice_int(dice, 1, 10) == 1 ? "BC" : "GC", (double)dice_int(dice, 0, 5000) / 10000, data);
}

static bool load_customers(PGconn *connection, struct dice *dice, const struct tpcc_sizes *sizes)
{
    struct copy copy;
    if (!copy_begin(&copy, connection, "copy customer from stdin"))
        return false;
    for (int64_t warehouse = 1; warehouse <= sizes->warehouses; warehouse++)
        for (int district = 1; district <= DISTRICTS; district++)
            for (int64_t customer = 1; customer <= sizes->customers; customer++)
                put_customer(&copy, dice, sizes, warehouse, district, customer);
    if (!copy_end(&copy) || !copy_begin(&copy, connection, "copy history from stdin"))
        return false;
    for (int64_t warehouse = 1; warehouse <= sizes->warehouses; warehouse++)
        for (int district = 1; district <= DISTRICTS; district++)
            for (int64_t customer = 1; customer <= sizes->customers; customer++) {
                char data[25];
                random_letters(dice, 12, 24, data);
                copy_put(&copy, "%lld\t%d\t%lld\t%d\t%lld\t%s\t10.00\t%s\n", (long long)customer, district,
                         (long long)warehouse, district, (long long)warehouse, now, data);
            }
    return copy_end(&copy);
}

/* What the orders of a district look like, drawn once and written to three tables. The last 30 % are not delivered. */
struct order {
    int64_t customer;
    int lines, carrier;
};

static struct order *draw_orders(struct dice *dice, const struct tpcc_sizes *sizes)
{
    int64_t count = sizes->warehouses * DISTRICTS * sizes->customers;
    struct order *orders = malloc((size_t)count * sizeof *orders);
    if (!orders)
        return NULL;
    for (int64_t i = 0; i < count; i++) {
        int64_t number = i % sizes->customers + 1; /* in its district */
        orders[i] =
            (struct order){.customer = number,
                           .lines = (int)dice_int(dice, 5, LINES_MAX),
                           .carrier = number > sizes->customers * 7 / 10 ? 0 : (int)dice_int(dice, 1, 10)};
    }
    /* Each district's orders name its customers in a random permutation. */
    for (int64_t start = 0; start < count; start += sizes->customers)
        for (int64_t i = sizes->customers - 1; i > 0; i--) {
            int64_t j = dice_int(dice, 0, i), customer = orders[start + i].customer;
            orders[start + i].customer = orders[start + j].customer;
            orders[start + j].customer = customer;
        }
    return orders;
}

/* Where an order of the array belongs. */
struct order_key {
    int64_t warehouse, number;
    int district;
};

static struct order_key order_key(const struct tpcc_sizes *sizes, int64_t i)
{
    return (struct order_key){.warehouse = i / sizes->customers / DISTRICTS + 1,
                              .district = (int)(i / sizes->customers % DISTRICTS) + 1,
                              .number = i % sizes->customers + 1};
}

static void put_lines(struct copy *copy, struct dice *dice, const struct tpcc_sizes *sizes,
                      struct order_key key, const struct order *order)
{
    for (int line = 1; line <= order->lines; line++) {
        char info[25];
        random_letters(dice, 24, 24, info);
        copy_put(copy, "%lld\t%d\t%lld\t%d\t%lld\t%lld\t%s\t5\t%.2f\t%s\n", (long long)key.warehouse,
                 key.district, (long long)key.number, line, (long long)dice_int(dice, 1, sizes->items),
                 (long long)key.warehouse, order->carrier ? now : "\\N",
                 order->carrier ? 0 : (double)dice_int(dice, 1, 999999) / 100, info);
    }
}

static bool load_orders(PGconn *connection, struct dice *dice, const struct tpcc_sizes *sizes)
{
    int64_t count = sizes->warehouses * DISTRICTS * sizes->customers;
    struct order *orders = draw_orders(dice, sizes);
    struct copy copy;
    if (!orders || !copy_begin(&copy, connection, "copy orders from stdin"))
        return false;
    for (int64_t i = 0; i < count; i++) {
        struct order_key key = order_key(sizes, i);
        char carrier[12] = "\\N";
        if (orders[i].carrier)
            snprintf(carrier, sizeof carrier, "%d", orders[i].carrier);
        copy_put(&copy, "%lld\t%d\t%lld\t%lld\t%s\t%s\t%d\t1\n", (long long)key.warehouse, key.district,
                 (long long)key.number, (long long)orders[i].customer, now, carrier, orders[i].lines);
    }
    bool good = copy_end(&copy) && copy_begin(&copy, connection, "copy new_order from stdin");
    if (good) {
        for (int64_t i = 0; i < count; i++) {
            struct order_key key = order_key(sizes, i);
            if (!orders[i].carrier)
                copy_put(&copy, "%lld\t%d\t%lld\n", (long long)key.warehouse, key.district,
                         (long long)key.number);
        }
        good = copy_end(&copy) && copy_begin(&copy, connection, "copy order_line from stdin");
    }
    if (good) {
        for (int64_t i = 0; i < count; i++)
            put_lines(&copy, dice, sizes, order_key(sizes, i), &orders[i]);
        good = copy_end(&copy);
    }
    free(orders);
    return good;
}

static bool execute_all(PGconn *connection, const char *const *texts)
{
    for (; *texts; texts++)
        if (!execute(connection, *texts))
            return false;
    return true;
}

bool tpcc_load(PGconn *connection, const struct options *options)
{
    struct tpcc_sizes sizes = tpcc_sizes(options);
    struct dice dice = {mix_bits(options->seed) | 1};
    return execute_all(connection, schema) && load_items(connection, &dice, &sizes) &&
           load_warehouses(connection, &dice, &sizes) && load_stock(connection, &dice, &sizes) &&
           load_customers(connection, &dice, &sizes) && load_orders(connection, &dice, &sizes) &&
           execute_all(connection, indexes) && execute(connection, "analyze");
}

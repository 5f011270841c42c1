/* TPC-C's five transactions (specification 5.11, clause 2), each terminal without think time.
 *
 * Statements are prepared and sent one by one, as an application would that cannot call procedures in the server. Where the
 * specification leaves it open: the items of an order are taken in the order of their keys, so that two orders do not wait
 * for each other in a circle; Delivery runs at once instead of from a queue. Kinds are dealt from a deck of 23 cards
 * (clause 5.2.4.2: 10 New-Order, 10 Payment, one of each other). */
#include "bench/client/tpcc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NEW_ORDER, PAYMENT, ORDER_STATUS, DELIVERY, STOCK_LEVEL, CARDS = 23 };

struct terminal {
    struct tpcc_sizes sizes;
    int64_t warehouse;
    int64_t district; /* of Stock-Level */
    int cards[CARDS], dealt;
};

static const char *const statements[][2] = {
    {"no_customer", "select c_discount, c_last, c_credit, w_tax from warehouse, customer"
                    " where w_id = $1 and c_w_id = w_id and c_d_id = $2 and c_id = $3"},
    {"no_district", "update district set d_next_o_id = d_next_o_id + 1 where d_w_id = $1 and d_id = $2"
                    " returning d_next_o_id - 1, d_tax"},
    {"no_order", "insert into orders (o_w_id, o_d_id, o_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local)"
                 " values ($1, $2, $3, $4, current_timestamp, $5, $6)"},
    {"no_new_order", "insert into new_order (no_w_id, no_d_id, no_o_id) values ($1, $2, $3)"},
    {"no_item", "select i_price, i_name, i_data from item where i_id = $1"},
    {"no_stock",
     "select s_quantity, s_data, s_dist_01, s_dist_02, s_dist_03, s_dist_04, s_dist_05, s_dist_06, s_dist_07,"
     " s_dist_08, s_dist_09, s_dist_10 from stock where s_w_id = $1 and s_i_id = $2 for update"},
    {"no_stock_change", "update stock set s_quantity = $1, s_ytd = s_ytd + $2, s_order_cnt = s_order_cnt + 1,"
                        " s_remote_cnt = s_remote_cnt + $3 where s_w_id = $4 and s_i_id = $5"},
    {"no_line",
     "insert into order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity,"
     " ol_amount, ol_dist_info) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"},
    {"p_warehouse", "update warehouse set w_ytd = w_ytd + $1 where w_id = $2"
                    " returning w_name, w_street_1, w_street_2, w_city, w_state, w_zip"},
    {"p_district", "update district set d_ytd = d_ytd + $1 where d_w_id = $2 and d_id = $3"
                   " returning d_name, d_street_1, d_street_2, d_city, d_state, d_zip"},
    {"by_name",
     "select c_id from customer where c_w_id = $1 and c_d_id = $2 and c_last = $3 order by c_first"},
    {"p_customer",
     "update customer set c_balance = c_balance - $1, c_ytd_payment = c_ytd_payment + $1,"
     " c_payment_cnt = c_payment_cnt + 1 where c_w_id = $2 and c_d_id = $3 and c_id = $4"
     " returning c_first, c_middle, c_last, c_street_1, c_street_2, c_city, c_state, c_zip, c_phone, c_since,"
     " c_credit, c_credit_lim, c_discount, c_balance"},
    {"p_bad_credit", "update customer set c_data = substr($1 || c_data, 1, 500)"
                     " where c_w_id = $2 and c_d_id = $3 and c_id = $4 returning substr(c_data, 1, 200)"},
    {"p_history", "insert into history (h_c_id, h_c_d_id, h_c_w_id, h_d_id, h_w_id, h_date, h_amount, h_data)"
                  " values ($1, $2, $3, $4, $5, current_timestamp, $6, $7)"},
    {"os_customer", "select c_balance, c_first, c_middle, c_last from customer"
                    " where c_w_id = $1 and c_d_id = $2 and c_id = $3"},
    {"os_order",
     "select o_id, o_entry_d, o_carrier_id from orders where o_w_id = $1 and o_d_id = $2 and o_c_id = $3"
     " order by o_id desc limit 1"},
    {"os_lines", "select ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d from order_line"
                 " where ol_w_id = $1 and ol_d_id = $2 and ol_o_id = $3"},
    {"d_oldest",
     "select no_o_id from new_order where no_w_id = $1 and no_d_id = $2 order by no_o_id limit 1 for update"},
    {"d_delete", "delete from new_order where no_w_id = $1 and no_d_id = $2 and no_o_id = $3"},
    {"d_order",
     "update orders set o_carrier_id = $1 where o_w_id = $2 and o_d_id = $3 and o_id = $4 returning o_c_id"},
    {"d_lines", "update order_line set ol_delivery_d = current_timestamp"
                " where ol_w_id = $1 and ol_d_id = $2 and ol_o_id = $3"},
    {"d_sum", "select sum(ol_amount) from order_line where ol_w_id = $1 and ol_d_id = $2 and ol_o_id = $3"},
    {"d_customer", "update customer set c_balance = c_balance + $1, c_delivery_cnt = c_delivery_cnt + 1"
                   " where c_w_id = $2 and c_d_id = $3 and c_id = $4"},
    {"sl_district", "select d_next_o_id from district where d_w_id = $1 and d_id = $2"},
    {"sl_stock",
     "select count(distinct s_i_id) from order_line, stock where ol_w_id = $1 and ol_d_id = $2"
     " and ol_o_id < $3 and ol_o_id >= $3 - 20 and s_w_id = $1 and s_i_id = ol_i_id and s_quantity < $4"},
};

static bool prepare(struct worker *worker)
{
    struct terminal *terminal = calloc(1, sizeof *terminal);
    if (!terminal)
        return false;
    terminal->sizes = tpcc_sizes(worker->options);
    terminal->warehouse = worker->number % terminal->sizes.warehouses + 1;
    terminal->district = worker->number / terminal->sizes.warehouses % DISTRICTS + 1;
    terminal->dealt = CARDS;
    worker->own = terminal;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (!prepare_statement(worker->connection, statements[i][0], statements[i][1]))
            return false;
    return true;
}

static int choose(struct worker *worker)
{
    struct terminal *terminal = worker->own;
    if (terminal->dealt == CARDS) {
        for (int i = 0; i < CARDS; i++)
            terminal->cards[i] = i < 10 ? NEW_ORDER : i < 20 ? PAYMENT : ORDER_STATUS + (i - 20);
        for (int i = CARDS - 1; i > 0; i--) {
            int j = (int)dice_int(&worker->dice, 0, i), card = terminal->cards[i];
            terminal->cards[i] = terminal->cards[j];
            terminal->cards[j] = card;
        }
        terminal->dealt = 0;
    }
    return terminal->cards[terminal->dealt++];
}

/* ---- what transactions share ---- */

static int64_t draw_customer(struct worker *worker)
{
    struct terminal *terminal = worker->own;
    return nu_rand(&worker->dice, 1023, C_CUSTOMER, 1, terminal->sizes.customers);
}

static int64_t other_warehouse(struct worker *worker, int64_t home)
{
    struct terminal *terminal = worker->own;
    int64_t other = dice_int(&worker->dice, 1, terminal->sizes.warehouses - 1);
    return other < home ? other : other + 1;
}

/* The statement gives exactly one row, or the database is not what it must be. */
static PGresult *one_row(struct worker *worker, const char *name, const struct arguments *arguments,
                         enum outcome *outcome)
{
    PGresult *result = run_prepared(worker, name, arguments, outcome);
    if (!result || PQntuples(result) == 1)
        return result;
    fprintf(stderr, "%s gave %d rows for %s, %s, %s\n", name, PQntuples(result), arguments->values[0],
            arguments->values[1], arguments->values[2]);
    PQclear(result);
    *outcome = FAILED;
    return NULL;
}

/* A customer's number: in 60 of 100 by last name, the middle one of those that bear it (clause 2.5.2.2). */
static enum outcome find_customer(struct worker *worker, int64_t warehouse, int64_t district,
                                  int64_t *customer)
{
    struct terminal *terminal = worker->own;
    if (dice_int(&worker->dice, 1, 100) > 60) {
        *customer = draw_customer(worker);
        return DONE;
    }
    char name[LAST_NAME_BYTES];
    last_name(nu_rand(&worker->dice, 255, C_RUN, 0, 999) % terminal->sizes.last_names, name);
    struct arguments arguments = {0};
    argument_int(&arguments, warehouse);
    argument_int(&arguments, district);
    argument_text(&arguments, name);
    enum outcome outcome;
    PGresult *result = run_prepared(worker, "by_name", &arguments, &outcome);
    if (!result)
        return outcome;
    int count = PQntuples(result);
    if (count > 0)
        *customer = result_int(result, (count - 1) / 2, 0);
    else
        fprintf(stderr, "no customer is called %s\n", name);
    PQclear(result);
    return count > 0 ? DONE : FAILED;
}

/* ---- New-Order, clause 2.4 ---- */

struct line {
    int64_t item, supplier, quantity;
};

struct order {
    int64_t warehouse, district, customer, number;
    int count;
    bool remote, invalid; /* invalid: the last item does not exist, the order is rolled back */
    struct line lines[LINES_MAX];
};

static int line_compare(const void *a, const void *b)
{
    const struct line *one = a, *two = b;
    if (one->supplier != two->supplier)
        return one->supplier < two->supplier ? -1 : 1;
    return (one->item > two->item) - (one->item < two->item);
}

static struct order draw_order(struct worker *worker)
{
    struct terminal *terminal = worker->own;
    struct dice *dice = &worker->dice;
    struct order order = {.warehouse = terminal->warehouse,
                          .district = dice_int(dice, 1, DISTRICTS),
                          .customer = draw_customer(worker),
                          .count = (int)dice_int(dice, 5, LINES_MAX)};
    order.invalid = dice_int(dice, 1, 100) == 1;
    for (int i = 0; i < order.count; i++) {
        struct line *line = &order.lines[i];
        *line = (struct line){.item = nu_rand(dice, 8191, C_ITEM, 1, terminal->sizes.items),
                              .supplier = order.warehouse,
                              .quantity = dice_int(dice, 1, 10)};
        if (terminal->sizes.warehouses > 1 && dice_int(dice, 1, 100) == 1) {
            line->supplier = other_warehouse(worker, order.warehouse);
            order.remote = true;
        }
    }
    qsort(order.lines, (size_t)order.count, sizeof order.lines[0], line_compare);
    if (order.invalid)
        order.lines[order.count - 1].item = terminal->sizes.items + 1;
    return order;
}

static enum outcome begin_order(struct worker *worker, struct order *order)
{
    struct arguments arguments = {0};
    enum outcome outcome;
    argument_int(&arguments, order->warehouse);
    argument_int(&arguments, order->district);
    argument_int(&arguments, order->customer);
    PGresult *result = one_row(worker, "no_customer", &arguments, &outcome);
    if (!result)
        return outcome;
    PQclear(result);
    arguments.count = 2;
    result = one_row(worker, "no_district", &arguments, &outcome);
    if (!result)
        return outcome;
    order->number = result_int(result, 0, 0);
    PQclear(result);
    argument_int(&arguments, order->number);
    outcome = perform(worker, "no_new_order", &arguments);
    if (outcome != DONE)
        return outcome;
    argument_int(&arguments, order->customer);
    argument_int(&arguments, order->count);
    argument_int(&arguments, !order->remote);
    return perform(worker, "no_order", &arguments);
}

/* Takes the goods from stock; `info` gets the district's text. */
static enum outcome take_stock(struct worker *worker, const struct order *order, const struct line *line,
                               char info[25])
{
    struct arguments arguments = {0};
    enum outcome outcome;
    argument_int(&arguments, line->supplier);
    argument_int(&arguments, line->item);
    PGresult *result = one_row(worker, "no_stock", &arguments, &outcome);
    if (!result)
        return outcome;
    int64_t quantity = result_int(result, 0, 0);
    snprintf(info, 25, "%s", PQgetvalue(result, 0, 1 + (int)order->district));
    PQclear(result);
    arguments.count = 0;
    argument_int(&arguments, quantity >= line->quantity + 10 ? quantity - line->quantity
                                                             : quantity - line->quantity + 91);
    argument_int(&arguments, line->quantity);
    argument_int(&arguments, line->supplier != order->warehouse);
    argument_int(&arguments, line->supplier);
    argument_int(&arguments, line->item);
    return perform(worker, "no_stock_change", &arguments);
}

static enum outcome order_item(struct worker *worker, const struct order *order, int number)
{
    const struct line *line = &order->lines[number - 1];
    struct arguments arguments = {0};
    enum outcome outcome;
    argument_int(&arguments, line->item);
    PGresult *result = run_prepared(worker, "no_item", &arguments, &outcome);
    if (!result)
        return outcome;
    bool there = PQntuples(result) == 1;
    double price = there ? atof(PQgetvalue(result, 0, 0)) : 0;
    PQclear(result);
    if (!there)
        return order->invalid ? NOTHING : FAILED;
    char info[25], amount[24];
    outcome = take_stock(worker, order, line, info);
    if (outcome != DONE)
        return outcome;
    snprintf(amount, sizeof amount, "%.2f", price * (double)line->quantity);
    arguments.count = 0;
    argument_int(&arguments, order->warehouse);
    argument_int(&arguments, order->district);
    argument_int(&arguments, order->number);
    argument_int(&arguments, number);
    argument_int(&arguments, line->item);
    argument_int(&arguments, line->supplier);
    argument_int(&arguments, line->quantity);
    argument_text(&arguments, amount);
    argument_text(&arguments, info);
    return perform(worker, "no_line", &arguments);
}

static enum outcome new_order(struct worker *worker)
{
    struct order order = draw_order(worker);
    enum outcome outcome = begin_order(worker, &order);
    for (int i = 1; outcome == DONE && i <= order.count; i++)
        outcome = order_item(worker, &order, i);
    if (outcome == NOTHING) /* the item that does not exist: rolled back on purpose, and done */
        return say(worker, "rollback");
    return outcome == DONE ? say(worker, "commit") : outcome;
}

/* ---- Payment, clause 2.5 ---- */

struct payment {
    int64_t warehouse, district;                             /* where it is paid */
    int64_t customer_warehouse, customer_district, customer; /* who pays */
    char amount[24];
};

static enum outcome pay_places(struct worker *worker, const struct payment *payment, char data[25])
{
    struct arguments arguments = {0};
    enum outcome outcome;
    argument_text(&arguments, payment->amount);
    argument_int(&arguments, payment->warehouse);
    PGresult *warehouse = run_prepared(worker, "p_warehouse", &arguments, &outcome);
    if (!warehouse)
        return outcome;
    argument_int(&arguments, payment->district);
    PGresult *district = one_row(worker, "p_district", &arguments, &outcome);
    if (district)
        snprintf(data, 25, "%.10s    %.10s", PQgetvalue(warehouse, 0, 0), PQgetvalue(district, 0, 0));
    PQclear(warehouse);
    PQclear(district);
    return outcome;
}

static enum outcome pay_customer(struct worker *worker, const struct payment *payment)
{
    struct arguments arguments = {0};
    enum outcome outcome;
    char note[200];
    argument_text(&arguments, payment->amount);
    argument_int(&arguments, payment->customer_warehouse);
    argument_int(&arguments, payment->customer_district);
    argument_int(&arguments, payment->customer);
    PGresult *result = one_row(worker, "p_customer", &arguments, &outcome);
    if (!result)
        return outcome;
    bool bad = strcmp(PQgetvalue(result, 0, 10), "BC") == 0;
    PQclear(result);
    if (!bad)
        return DONE;
    snprintf(note, sizeof note, "%lld %lld %lld %lld %lld %s|", (long long)payment->customer,
             (long long)payment->customer_district, (long long)payment->customer_warehouse,
             (long long)payment->district, (long long)payment->warehouse, payment->amount);
    arguments.values[0] = note;
    return perform(worker, "p_bad_credit", &arguments);
}

static enum outcome pay(struct worker *worker)
{
    struct terminal *terminal = worker->own;
    struct dice *dice = &worker->dice;
    struct payment payment = {.warehouse = terminal->warehouse, .district = dice_int(dice, 1, DISTRICTS)};
    payment.customer_warehouse = payment.warehouse;
    payment.customer_district = payment.district;
    if (terminal->sizes.warehouses > 1 && dice_int(dice, 1, 100) > 85) {
        payment.customer_warehouse = other_warehouse(worker, payment.warehouse);
        payment.customer_district = dice_int(dice, 1, DISTRICTS);
    }
    snprintf(payment.amount, sizeof payment.amount, "%.2f", (double)dice_int(dice, 100, 500000) / 100);
    char data[25];
    enum outcome outcome = pay_places(worker, &payment, data);
    if (outcome == DONE)
        outcome =
            find_customer(worker, payment.customer_warehouse, payment.customer_district, &payment.customer);
    if (outcome == DONE)
        outcome = pay_customer(worker, &payment);
    if (outcome != DONE)
        return outcome;
    struct arguments arguments = {0};
    argument_int(&arguments, payment.customer);
    argument_int(&arguments, payment.customer_district);
    argument_int(&arguments, payment.customer_warehouse);
    argument_int(&arguments, payment.district);
    argument_int(&arguments, payment.warehouse);
    argument_text(&arguments, payment.amount);
    argument_text(&arguments, data);
    outcome = perform(worker, "p_history", &arguments);
    return outcome == DONE ? say(worker, "commit") : outcome;
}

/* ---- Order-Status, clause 2.6 ---- */

static enum outcome order_status(struct worker *worker)
{
    struct terminal *terminal = worker->own;
    int64_t district = dice_int(&worker->dice, 1, DISTRICTS), customer = 0;
    enum outcome outcome = find_customer(worker, terminal->warehouse, district, &customer);
    if (outcome != DONE)
        return outcome;
    struct arguments arguments = {0};
    argument_int(&arguments, terminal->warehouse);
    argument_int(&arguments, district);
    argument_int(&arguments, customer);
    PGresult *result = one_row(worker, "os_customer", &arguments, &outcome);
    PQclear(result);
    if (!result)
        return outcome;
    result = one_row(worker, "os_order", &arguments, &outcome);
    if (!result)
        return outcome;
    int64_t number = result_int(result, 0, 0);
    PQclear(result);
    arguments.count = 2;
    argument_int(&arguments, number);
    outcome = perform(worker, "os_lines", &arguments);
    return outcome == DONE ? say(worker, "commit") : outcome;
}

/* ---- Delivery, clause 2.7 ---- */

/* The oldest order of a district that is not delivered; NOTHING when there is none. */
static enum outcome oldest_order(struct worker *worker, int64_t warehouse, int64_t district, int64_t *number)
{
    struct arguments arguments = {0};
    enum outcome outcome;
    argument_int(&arguments, warehouse);
    argument_int(&arguments, district);
    PGresult *result = run_prepared(worker, "d_oldest", &arguments, &outcome);
    if (!result)
        return outcome;
    if (PQntuples(result) == 0)
        outcome = NOTHING;
    else
        *number = result_int(result, 0, 0);
    PQclear(result);
    return outcome;
}

static enum outcome deliver_order(struct worker *worker, int64_t warehouse, int64_t district, int64_t number,
                                  int64_t carrier)
{
    struct arguments key = {0}, arguments = {0};
    enum outcome outcome;
    argument_int(&key, warehouse);
    argument_int(&key, district);
    argument_int(&key, number);
    outcome = perform(worker, "d_delete", &key);
    if (outcome != DONE)
        return outcome;
    argument_int(&arguments, carrier);
    argument_int(&arguments, warehouse);
    argument_int(&arguments, district);
    argument_int(&arguments, number);
    PGresult *result = one_row(worker, "d_order", &arguments, &outcome);
    if (!result)
        return outcome;
    int64_t customer = result_int(result, 0, 0);
    PQclear(result);
    outcome = perform(worker, "d_lines", &key);
    if (outcome != DONE)
        return outcome;
    result = one_row(worker, "d_sum", &key, &outcome);
    if (!result)
        return outcome;
    arguments.count = 0;
    argument_text(&arguments, PQgetvalue(result, 0, 0));
    argument_int(&arguments, warehouse);
    argument_int(&arguments, district);
    argument_int(&arguments, customer);
    outcome = perform(worker, "d_customer", &arguments);
    PQclear(result);
    return outcome;
}

static enum outcome deliver(struct worker *worker)
{
    struct terminal *terminal = worker->own;
    int64_t carrier = dice_int(&worker->dice, 1, 10);
    for (int district = 1; district <= DISTRICTS; district++) {
        int64_t number = 0;
        enum outcome outcome = oldest_order(worker, terminal->warehouse, district, &number);
        if (outcome == DONE)
            outcome = deliver_order(worker, terminal->warehouse, district, number, carrier);
        if (outcome != DONE && outcome != NOTHING)
            return outcome;
    }
    return say(worker, "commit");
}

/* ---- Stock-Level, clause 2.8 ---- */

static enum outcome stock_level(struct worker *worker)
{
    struct terminal *terminal = worker->own;
    struct arguments arguments = {0};
    enum outcome outcome;
    argument_int(&arguments, terminal->warehouse);
    argument_int(&arguments, terminal->district);
    PGresult *result = one_row(worker, "sl_district", &arguments, &outcome);
    if (!result)
        return outcome;
    argument_int(&arguments, result_int(result, 0, 0));
    PQclear(result);
    argument_int(&arguments, dice_int(&worker->dice, 10, 20));
    outcome = perform(worker, "sl_stock", &arguments);
    return outcome == DONE ? say(worker, "commit") : outcome;
}

static enum outcome run(struct worker *worker, int kind)
{
    enum outcome outcome = say(worker, "begin");
    if (outcome != DONE)
        return outcome;
    switch ((enum kind)kind) {
    case NEW_ORDER:
        return new_order(worker);
    case PAYMENT:
        return pay(worker);
    case ORDER_STATUS:
        return order_status(worker);
    case DELIVERY:
        return deliver(worker);
    default:
        return stock_level(worker);
    }
}

const struct work tpcc_work = {
    .name = "tpcc",
    .kinds = {"new_order", "payment", "order_status", "delivery", "stock_level"},
    .load = tpcc_load,
    .prepare = prepare,
    .choose = choose,
    .run = run,
};

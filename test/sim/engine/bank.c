/* Bank: transfers between accounts; the sum is the same in every snapshot. */
#include "test/sim/engine/deal.h"
#include "test/sim/engine/scenarios.h"

#include <inttypes.h>

#define TABLE        1
#define ACCOUNTS_MAX 48
#define AMOUNT       100

struct bank {
    struct cell *accounts;
    uint64_t count;
};

static void bank_open(struct stand *stand)
{
    struct bank *bank = stand->state;
    bank->count = dice_between(&stand->dice, 2, ACCOUNTS_MAX);
    bank->accounts = cells_open(stand, TABLE, bank->count, WITNESS_CHAIN);
}

static bool bank_set_up(struct client *client)
{
    struct bank *bank = client->stand->state;
    return cells_set_up(client, TABLE, TABLE_ROW, bank->accounts, bank->count, AMOUNT);
}

static void check_sum(struct stand *stand, const struct bank *bank, const struct seen *seen)
{
    int64_t sum = 0;
    for (uint64_t i = 0; i < bank->count; i++) {
        if (!seen[i].there) {
            stand_fail(stand, "sum: account %" PRIu64 " is not there", i);
            return;
        }
        sum += seen[i].number;
    }
    if (sum != (int64_t)bank->count * AMOUNT)
        stand_fail(stand, "sum: %" PRIu64 " accounts hold %" PRId64 " together", bank->count, sum);
}

/* All accounts in one statement: by a scan, or one by one. */
static void audit(struct client *client)
{
    struct bank *bank = client->stand->state;
    struct seen seen[ACCOUNTS_MAX];
    struct deal deal;
    bool right;
    if (!deal_open(&deal, client))
        return;
    if (client_chance(client, 70))
        right = deal_scan(&deal, bank->accounts, 0, bank->count, client_chance(client, 50), seen);
    else {
        right = true;
        for (uint64_t i = 0; i < bank->count && right; i++)
            right = deal_see(&deal, &bank->accounts[i], &seen[i]);
    }
    if (right)
        check_sum(client->stand, bank, seen);
    deal_end(&deal, true);
}

static void transfer(struct client *client)
{
    struct bank *bank = client->stand->state;
    uint64_t from = client_below(client, bank->count), to = client_below(client, bank->count - 1);
    struct seen payer, payee;
    struct deal deal;
    to += to >= from;
    if (!deal_open(&deal, client))
        return;
    int64_t amount = (int64_t)client_below(client, 20);
    bool right = deal_take(&deal, &bank->accounts[from], &payer);
    deal_statement(&deal);
    right = right && deal_take(&deal, &bank->accounts[to], &payee);
    if (right && (!payer.there || !payee.there)) {
        stand_fail(client->stand, "sum: an account is not there");
        right = false;
    }
    deal_statement(&deal);
    right = right && deal_write(&deal, &bank->accounts[from], &payer, payer.number - amount);
    if (client_chance(client, 20))
        client_sleep(client, 200 * SIM_MICROSECOND);
    right = right && deal_write(&deal, &bank->accounts[to], &payee, payee.number + amount);
    deal_end(&deal, client_chance(client, 90));
}

static void bank_step(struct client *client)
{
    if (client_chance(client, 70))
        transfer(client);
    else
        audit(client);
}

static void take_seen(void *argument, size_t at, const struct seen *seen)
{
    struct seen *all = argument;
    all[at] = *seen;
}

static void bank_look(struct client *client)
{
    struct bank *bank = client->stand->state;
    struct seen seen[ACCOUNTS_MAX];
    cells_look(client, bank->accounts, bank->count, take_seen, seen);
    check_sum(client->stand, bank, seen);
}

const struct scenario bank_scenario = {
    .state_bytes = sizeof(struct bank),
    .commits = 600,
    .open = bank_open,
    .set_up = bank_set_up,
    .step = bank_step,
    .look = bank_look,
};

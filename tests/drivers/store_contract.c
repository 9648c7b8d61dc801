/*
 * store_contract.c - runs the tests of the store contract that a driver's capabilities call for
 * SPDX-License-Identifier: MIT
 */
#include "store_fixture.h"

enum { TESTS_MAX = 100 };

struct suite {
    struct CMUnitTest tests[TESTS_MAX];
    size_t count;
};

static void suite_add(struct suite *suite, const struct CMUnitTest *tests, size_t count,
                      const struct store_contract *contract)
{
    assert_true(suite->count + count <= TESTS_MAX);
    for (size_t i = 0; i < count; i++) {
        suite->tests[suite->count] = tests[i];
        /* cmocka takes what a test begins with as a pointer to what it may change. */
        suite->tests[suite->count].initial_state = (void *)(uintptr_t)contract;
        suite->count++;
    }
}

static int suite_run(const struct suite *suite, const char *name)
{
    /* The macro takes an array for its length; the function behind it takes the count. */
    return _cmocka_run_group_tests(name, suite->tests, suite->count, NULL, NULL);
}

int contract_run_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                       const struct store_contract *contract)
{
    struct suite suite = {.count = 0};
    suite_add(&suite, tests, count, contract);
    return suite_run(&suite, name);
}

int store_contract_run(const struct store_contract *contract)
{
    struct suite suite = {.count = 0};
    const uint64_t capabilities = contract->plugin->capabilities;
    if (capabilities & OUTBOX_STORE_LEASE) {
        suite_add(&suite, contract_schema_tests, contract_schema_test_count, contract);
        suite_add(&suite, contract_claim_tests, contract_claim_test_count, contract);
        suite_add(&suite, contract_settle_tests, contract_settle_test_count, contract);
        suite_add(&suite, contract_lease_tests, contract_lease_test_count, contract);
        if (contract->plugin->store->prune)
            suite_add(&suite, contract_prune_tests, contract_prune_test_count, contract);
        if (contract->plugin->store->holders)
            suite_add(&suite, contract_holders_tests, contract_holders_test_count, contract);
    }
    if (capabilities & OUTBOX_STORE_HOLD) {
        suite_add(&suite, contract_hold_tests, contract_hold_test_count, contract);
        if (contract->plugin->store->holders)
            suite_add(&suite, contract_holders_hold_tests, contract_holders_hold_test_count,
                      contract);
    }
    return suite_run(&suite, "store contract");
}

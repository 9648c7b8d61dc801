/*
 * test_build_tree.c - a relay that was just built finds the drivers built beside it
 * SPDX-License-Identifier: MIT
 *
 *     test_build_tree PROGRAM     PROGRAM writes the reference page of the drivers that it finds
 */
#include "configuration.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *program;

/* A folder beside the program, so that a hard link can stand for a copy of it. */
struct tree {
    char folder[PATH_MAX], core[PATH_MAX + 32], plugins[PATH_MAX + 32], room[PATH_MAX + 64];
    char driver[PATH_MAX + 96];
};

static void tree_new(struct tree *tree)
{
    (void)snprintf(tree->folder, sizeof tree->folder, "%s-tree-XXXXXX", program);
    assert_non_null(mkdtemp(tree->folder));
    (void)snprintf(tree->core, sizeof tree->core, "%s/core", tree->folder);
    (void)snprintf(tree->plugins, sizeof tree->plugins, "%s/plugins", tree->folder);
    (void)snprintf(tree->room, sizeof tree->room, "%s/store-sample", tree->plugins);
    (void)snprintf(tree->driver, sizeof tree->driver, "%s/store-sample.so", tree->room);
    assert_int_equal(mkdir(tree->core, 0700), 0);
    assert_int_equal(mkdir(tree->plugins, 0700), 0);
    assert_int_equal(mkdir(tree->room, 0700), 0);
    assert_int_equal(symlink(TEST_DRIVERS "/store-sample.so", tree->driver), 0);
}

static void tree_free(struct tree *tree)
{
    assert_int_equal(unlink(tree->driver), 0);
    assert_int_equal(rmdir(tree->room), 0);
    assert_int_equal(rmdir(tree->plugins), 0);
    assert_int_equal(rmdir(tree->core), 0);
    assert_int_equal(rmdir(tree->folder), 0);
}

static bool finds_the_sample(const char *binary)
{
    char command[PATH_MAX + 8], line[4096];
    bool found = false;
    (void)snprintf(command, sizeof command, "'%s'", binary);
    FILE *output = popen(command, "re");
    assert_non_null(output);
    while (fgets(line, sizeof line, output))
        found = found || strcmp(line, "### `store`: `\"driver\": \"sample\"`\n") == 0;
    assert_int_equal(pclose(output), 0);
    return found;
}

static void assert_found_from(const char *place)
{
    struct tree tree;
    char binary[PATH_MAX + 64];
    tree_new(&tree);
    (void)snprintf(binary, sizeof binary, "%s/%s", tree.folder, place);
    assert_int_equal(link(program, binary), 0);
    bool found = finds_the_sample(binary);
    assert_int_equal(unlink(binary), 0);
    tree_free(&tree);
    assert_true(found);
}

static void drivers_are_found_from_the_place_where_it_is_built(void **state)
{
    (void)state;
    assert_found_from("core/relay");
}

static void drivers_are_found_from_a_copy_at_the_top_of_the_build(void **state)
{
    (void)state;
    assert_found_from("relay");
}

static void drivers_are_found_through_a_symbolic_link_from_anywhere(void **state)
{
    (void)state;
    struct tree tree;
    char binary[PATH_MAX + 64], other[] = "/tmp/outbox-link-XXXXXX", symbolic[64];
    tree_new(&tree);
    (void)snprintf(binary, sizeof binary, "%s/core/relay", tree.folder);
    assert_int_equal(link(program, binary), 0);
    assert_non_null(mkdtemp(other));
    (void)snprintf(symbolic, sizeof symbolic, "%s/relay", other);
    assert_int_equal(symlink(binary, symbolic), 0);
    bool found = finds_the_sample(symbolic);
    assert_int_equal(unlink(symbolic), 0);
    assert_int_equal(rmdir(other), 0);
    assert_int_equal(unlink(binary), 0);
    tree_free(&tree);
    assert_true(found);
}

static void a_program_elsewhere_does_not_find_them(void **state)
{
    (void)state;
    assert_false(finds_the_sample(program));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drivers_are_found_from_the_place_where_it_is_built),
        cmocka_unit_test(drivers_are_found_from_a_copy_at_the_top_of_the_build),
        cmocka_unit_test(drivers_are_found_through_a_symbolic_link_from_anywhere),
        cmocka_unit_test(a_program_elsewhere_does_not_find_them),
    };
    char path[PATH_MAX];
    if (argc != 2 || !realpath(argv[1], path)) {
        (void)fprintf(stderr, "usage: test_build_tree PROGRAM\n");
        return 2;
    }
    program = path;
    (void)unsetenv("OUTBOX_PLUGIN_PATH");
    return cmocka_run_group_tests(tests, NULL, NULL);
}

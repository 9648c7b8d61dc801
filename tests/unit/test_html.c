/*
 * test_html.c - text and figures as they stand in the page for people
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GAP "\xc2\xa0"

/* Where a writer writes to, and what it has written. */
struct paper {
    FILE *stream;
    char *text;
    size_t length;
};

static FILE *paper_open(struct paper *paper)
{
    *paper = (struct paper){0};
    paper->stream = open_memstream(&paper->text, &paper->length);
    assert_non_null(paper->stream);
    return paper->stream;
}

static void assert_written(struct paper *paper, const char *wanted)
{
    assert_int_equal(fclose(paper->stream), 0);
    assert_string_equal(paper->text, wanted);
    free(paper->text);
}

static void assert_text(const char *text, const char *wanted)
{
    struct paper paper;
    html_text(paper_open(&paper), text);
    assert_written(&paper, wanted);
}

static void text_is_no_markup(void **state)
{
    (void)state;
    assert_text("", "");
    assert_text("plain", "plain");
    assert_text("<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
    assert_text("\" onload=\"x", "&quot; onload=&quot;x");
    assert_text("&lt;", "&amp;lt;");
    assert_text("]]> <!-- --> <![CDATA[", "]]&gt; &lt;!-- --&gt; &lt;![CDATA[");
}

static void what_cannot_be_shown_is_made_visible(void **state)
{
    (void)state;
    assert_text("a\nb\tc\x1b[31m\x7f", "a\\nb\\tc\\x1b[31m\\x7f");
    assert_text("\xff\xc3<", "\\xff\\xc3&lt;");
    assert_text("\xc2\x85", "\\u0085");
    assert_text("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
}

static void counts_have_separators(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *wanted;
    } cases[] = {
        {0, "0"},
        {7, "7"},
        {999, "999"},
        {1000, "1,000"},
        {1234567, "1,234,567"},
        {-1, "-1"},
        {-100, "-100"},
        {-123456, "-123,456"},
        {INT64_MAX, "9,223,372,036,854,775,807"},
        {INT64_MIN, "-9,223,372,036,854,775,808"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct paper paper;
        html_count(paper_open(&paper), cases[i].number);
        assert_written(&paper, cases[i].wanted);
    }
}

static void rates_have_a_decimal_where_it_matters(void **state)
{
    (void)state;
    static const struct {
        double rate;
        const char *wanted;
    } cases[] = {
        {0, "0.0"},      {0.04, "0.0"},  {12.34, "12.3"},
        {99.94, "99.9"}, {99.96, "100"}, {1840.6, "1,841"},
    };
    struct paper paper;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        html_rate(paper_open(&paper), cases[i].rate);
        assert_written(&paper, cases[i].wanted);
    }
    html_rate(paper_open(&paper), NAN);
    assert_written(&paper, "\xe2\x80\x93");
}

static void durations_have_the_unit_that_people_use(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *wanted;
    } cases[] = {
        {0, "0" GAP "s"},
        {-1, "0" GAP "s"},
        {0.00042, "0.42" GAP "ms"},
        {0.0124, "12.4" GAP "ms"},
        {0.2134, "213" GAP "ms"},
        {0.9996, "1.00" GAP "s"},
        {1.4, "1.40" GAP "s"},
        {42, "42.0" GAP "s"},
        {59.96, "60.0" GAP "s"},
        {60, "1" GAP "min"},
        {200.9, "3" GAP "min" GAP "20" GAP "s"},
        {3599, "59" GAP "min" GAP "59" GAP "s"},
        {12000, "3" GAP "h" GAP "20" GAP "min"},
        {86400, "1" GAP "d"},
        {273600, "3" GAP "d" GAP "4" GAP "h"},
        {86400.0 * 12345, "12,345" GAP "d"},
    };
    struct paper paper;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        html_duration(paper_open(&paper), cases[i].seconds);
        assert_written(&paper, cases[i].wanted);
    }
    html_duration(paper_open(&paper), NAN);
    assert_written(&paper, "\xe2\x80\x93");
    html_duration(paper_open(&paper), INFINITY);
    assert_written(&paper, "\xe2\x80\x93");
}

static void ages_are_in_whole_seconds(void **state)
{
    (void)state;
    static const struct {
        int64_t nanoseconds;
        const char *wanted;
    } cases[] = {
        {0, "0" GAP "s"},
        {-1, "0" GAP "s"},
        {INT64_C(1999999999), "1" GAP "s"},
        {INT64_C(59999999999), "59" GAP "s"},
        {INT64_C(61000000000), "1" GAP "min" GAP "1" GAP "s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct paper paper;
        html_age(paper_open(&paper), cases[i].nanoseconds);
        assert_written(&paper, cases[i].wanted);
    }
}

static void instants_are_for_people_and_machines(void **state)
{
    (void)state;
    struct paper paper;
    html_time(paper_open(&paper), INT64_C(1769860800999999));
    assert_written(&paper,
                   "<time datetime=\"2026-01-31T12:00:00Z\">2026-01-31 12:00:00 UTC</time>");
    html_time(paper_open(&paper), 0);
    assert_written(&paper,
                   "<time datetime=\"1970-01-01T00:00:00Z\">1970-01-01 00:00:00 UTC</time>");
    html_time(paper_open(&paper), INT64_MAX);
    assert_int_equal(fclose(paper.stream), 0);
    assert_non_null(paper.text);
    free(paper.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_no_markup),
        cmocka_unit_test(what_cannot_be_shown_is_made_visible),
        cmocka_unit_test(counts_have_separators),
        cmocka_unit_test(rates_have_a_decimal_where_it_matters),
        cmocka_unit_test(durations_have_the_unit_that_people_use),
        cmocka_unit_test(ages_are_in_whole_seconds),
        cmocka_unit_test(instants_are_for_people_and_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

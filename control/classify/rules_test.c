/* SPDX-License-Identifier: Apache-2.0 */
/* What the shipped templates and the detector propose, by what a field is called and for. */
#include "classify/classify.h"
#include "test/fixture.h"

static struct fixture f;
static struct classify_context x;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    struct reply r = fixture_call(&f, OPERATOR, "GET",
                                  "classification_rules?page_size=200&sort=position", NULL, NULL);
    x.rules = json_incref(json_object_get(r.json, "items"));
    reply_free(&r);
    x.patterns = json_array();
    x.dataset = json_object();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref((json_t *)x.rules);
    json_decref((json_t *)x.patterns);
    json_decref((json_t *)x.dataset);
    fixture_close(&f);
    return 0;
}

static void proposes(const char *column, int level, const char *rule)
{
    json_t *field = json_pack("{s:s, s:s}", "column", column, "type", "string");
    json_t *p = classify_propose(&x, field, NULL);

    if (json_integer_value(json_object_get(p, "level")) != level ||
        (rule && strcmp(row_text(json_object_get(p, "evidence"), "rule"), rule) != 0)) {
        fail_msg("%s: %s", column, json_dumps(p, 0));
    }
    json_decref(p);
    json_decref(field);
}

static void all(const char *const *columns, int level, const char *rule)
{
    for (; *columns; columns++) {
        proposes(*columns, level, rule);
    }
}

static void public_of_users(void **state)
{
    static const char *const columns[] = {"product_price",    "商品",     "shop_name", "店铺",
                                          "customer_service", "客服电子", NULL};

    (void)state;
    all(columns, 1, NULL);
}

static void public_of_business(void **state)
{
    static const char *const columns[] = {"seller_tier",    "卖家等级", "campaign_rules",
                                          "front_category", "前台类目", NULL};

    (void)state;
    all(columns, 1, "business-public");
}

static void internal(void **state)
{
    static const char *const columns[] = {"turnover", "total_turnover", "成交总额", NULL};

    (void)state;
    all(columns, 2, "business-internal");
}

static void private_of_users(void **state)
{
    static const char *const columns[] = {"gender", "学历", "qualification", "health", NULL};

    (void)state;
    all(columns, 3, "user-private");
}

static void behaviour(void **state)
{
    static const char *const columns[] = {
        "purchase_history", "browsing_history", "收藏", "chat_message",
        "consignee",        "收货人详情",       NULL};

    (void)state;
    all(columns, 3, NULL);
}

static void confidential(void **state)
{
    static const char *const columns[] = {"category_transaction",
                                          "category_ranking",
                                          "category_product_data",
                                          "back_category",
                                          "logistics",
                                          "category_finance",
                                          NULL};

    (void)state;
    all(columns, 3, "business-confidential");
}

static void secrets(void **state)
{
    static const char *const columns[] = {"password",          "credit_card", "bank_account",
                                          "security_question", "id_card",     NULL};

    (void)state;
    all(columns, 4, NULL);
}

static void harvested(void **state)
{
    json_t *fields = json_pack("[{s:s, s:i}, {s:s, s:i}, {s:s, s:i}]", "column", "a", "level", 0,
                               "column", "b", "level", 0, "column", "c", "level", 0);
    json_t *columns =
        json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]", "name", "a", "comment",
                  "电话 level=3 category=contact sensitive=yes", "name", "b", "comment",
                  "sublevel=3 level=9 category=", "name", "c", "comment", "");
    (void)state;
    classify_harvest(fields, columns);
    const json_t *a = json_array_get(fields, 0), *b = json_array_get(fields, 1);
    assert_int_equal(json_integer_value(json_object_get(a, "level")), 3);
    assert_string_equal(row_text(a, "category"), "contact");
    assert_true(json_is_true(json_object_get(a, "sensitive")));
    assert_int_equal(json_integer_value(json_object_get(b, "level")), 0);
    assert_string_equal(row_text(b, "category"), "");
    json_decref(fields);
    json_decref(columns);
}

static void rules_are_checked(void **state)
{
    static const char *const wrong[] = {
        "{\"position\":1,\"name\":\"x\",\"level\":2}",
        "{\"position\":1,\"name\":\"x\",\"level\":5,\"words\":\"a\"}",
        "{\"position\":1,\"name\":\"x\",\"level\":3,\"words\":\"a\",\"mask\":\"nonsense\"}",
        "{\"position\":1,\"name\":\"x\",\"level\":3,\"kind\":\"nothing-like-it\"}",
        "{\"position\":1,\"name\":\"x\",\"level\":3,\"data_type\":\"colour\"}",
        "{\"position\":1,\"name\":\"x\",\"level\":3,\"words\":\"a\",\"tags\":[1]}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        fixture_refused(&f, OPERATOR, "POST", "classification_rules", NULL, wrong[i],
                        "field-invalid");
    }
    fixture_refused(&f, PROVIDER, "POST", "classification_rules", NULL,
                    "{\"position\":1,\"name\":\"x\",\"level\":3,\"words\":\"a\"}", "not-permitted");
    fixture_refused(&f, OPERATOR, "PATCH", "opening_classes/01a20106-0dc8-7000-8000-000000001822",
                    "auto", "{\"access\":\"registered\"}", "not-permitted");
    fixture_refused(&f, ADMIN, "PATCH", "opening_classes/01a20106-0dc8-7000-8000-000000001822",
                    "auto", "{\"access\":\"registered\"}", "field-invalid");
}

static void reach(void **state)
{
    json_t *fields = json_pack("[{s:s}, {s:s, s:s}, {s:s, s:s}]", "path", "a", "path", "b",
                               "category", "trade", "path", "c", "category", "finance");
    json_t *trade = json_pack("[s]", "trade"), *asked = json_pack("[s]", "c");
    json_t *r = classify_reach(fields, trade, NULL);

    (void)state;
    assert_int_equal(json_array_size(r), 2);
    json_decref(r);
    r = classify_reach(fields, trade, asked); /* none is not all */
    assert_non_null(r);
    assert_int_equal(json_array_size(r), 0);
    json_decref(r);
    json_array_append_new(trade, json_string("finance"));
    assert_null(classify_reach(fields, trade, NULL));
    json_decref(fields);
    json_decref(trade);
    json_decref(asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[EC-5.2.1a] the template gives seller product, shop and customer service level 1",
         public_of_users, NULL, NULL, NULL},
        {"[EC-5.2.1b] the template gives seller tier, campaign rules and front category level 1",
         public_of_business, NULL, NULL, NULL},
        {"[EC-5.2.2b] the template gives total turnover level 2", internal, NULL, NULL, NULL},
        {"[EC-5.2.3a-0] the template gives natural, qualification and behaviour information level "
         "3",
         private_of_users, NULL, NULL, NULL},
        {"[EC-5.2.3a2] the template gives purchase, browsing, favourites, chat and consignee level "
         "3",
         behaviour, NULL, NULL, NULL},
        {"[EC-5.2.3b] the template gives category, logistics and finance data of the business "
         "level 3",
         confidential, NULL, NULL, NULL},
        {"[EC-5.2.4a] credentials, cards, accounts and documents are level 4 by name alone",
         secrets, NULL, NULL, NULL},
        {"[SW-7b4] levels and categories in a source's column comments become the defaults",
         harvested, NULL, NULL, NULL},
        {"a rule that says nothing or something unknown is refused", rules_are_checked, NULL, NULL,
         NULL},
        {"[EC-3.7] a category that a subscription has not is out of its reach", reach, NULL, NULL,
         NULL},
    };
    return cmocka_run_group_tests_name("control classification", tests, setup, teardown);
}

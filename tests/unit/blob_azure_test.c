/* blob: Azure's names, URLs, signatures and listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "blob/azure.h"
#include "blob/xml.h"

static const char emulator_key[] = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
                                   "K1SZFPTOtr/KBHBeksoGMGw==";

/* ---------------------------------------------------------------- escapes and URLs */

static void escapes_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *plain;
        const char *escaped;
    } names[] = {{"a/b.txt", "a/b.txt"}, {"a b", "a%20b"},     {"100%", "100%25"},
                 {"%41", "%2541"},       {"a+b", "a%2Bb"},     {"a#b?c", "a%23b%3Fc"},
                 {"\xc3\xbc", "%C3%BC"}, {"trail.", "trail."}, {"~!*()'", "~%21%2A%28%29%27"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct cl_buf a;
        struct cl_buf b;
        cl_buf_init(&a, 100);
        cl_buf_init(&b, 100);
        assert_true(cl_blob_escape(&a, names[i].plain, "/"));
        assert_string_equal(cl_buf_str(&a), names[i].escaped);
        assert_true(cl_blob_unescape(&b, cl_buf_str(&a)));
        assert_string_equal(cl_buf_str(&b), names[i].plain);
        cl_buf_fini(&a);
        cl_buf_fini(&b);
    }
}

static void broken_escapes_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {"%", "%4", "a%zz", "%00", "x%G0"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct cl_buf out;
        cl_buf_init(&out, 100);
        assert_false(cl_blob_unescape(&out, broken[i]));
        cl_buf_fini(&out);
    }
}

static void expect_url(const char *url, const char *endpoint, const char *name, const char *want)
{
    struct cl_err err;
    struct cl_blob_options o = {.endpoint = endpoint};
    struct cl_blob_store *s = cl_blob_open(url, &o, &err);
    assert_non_null(s);
    struct cl_buf out;
    cl_buf_init(&out, 4096);
    assert_true(cl_azure_url(&out, cl_azure_of(s)->account, name));
    assert_string_equal(cl_buf_str(&out), want);
    cl_buf_fini(&out);
    cl_blob_free(s);
}

static void azure_urls(void **state)
{
    (void)state;
    expect_url("azblob://acme/docs", NULL, "a b", "https://acme.blob.core.windows.net/docs/a%20b");
    expect_url("azblob://acme/docs/t%20/x/", NULL, "a",
               "https://acme.blob.core.windows.net/docs/t%20/x/a");
    expect_url("azblob://acme/docs/p", "http://127.0.0.1:10000/acme/", "a",
               "http://127.0.0.1:10000/acme/docs/p/a");
    expect_url("azblob://acme/docs/p", "http://127.0.0.1:10000", "a",
               "http://127.0.0.1:10000/acme/docs/p/a");
    expect_url("azblob://acme/docs/p", "http://[::1]:10000", "a",
               "http://[::1]:10000/acme/docs/p/a");
    expect_url("azblob://acme/docs", "https://blobs.example", NULL, "https://blobs.example/docs");
}

static void errors_print_no_credentials(void **state)
{
    (void)state;
    struct cl_err err;
    struct cl_blob_options o = {.key = "not base64: s3cret"};
    assert_null(cl_blob_open("azblob://acme/docs", &o, &err));
    assert_null(strstr(err.message, "s3cret"));
    assert_null(cl_blob_open("azblob://acme/docs?sig=s3cret", NULL, &err));
    assert_null(strstr(err.message, "s3cret"));
    o = (struct cl_blob_options){.endpoint = "https://h/?sig=s3cret"};
    assert_null(cl_blob_open("azblob://acme/docs", &o, &err));
    assert_null(strstr(err.message, "s3cret"));
}

/* ---------------------------------------------------------------- signatures */

static void decode_key(uint8_t *key, size_t *n)
{
    struct cl_buf b;
    cl_buf_init(&b, 200);
    assert_true(cl_base64_decode(&b, emulator_key, strlen(emulator_key)));
    memcpy(key, b.data, b.len);
    *n = b.len;
    cl_buf_fini(&b);
}

/* The example of Microsoft's documentation; the signature computed independently. */
static void shared_key_of_the_documentation(void **state)
{
    (void)state;
    uint8_t key[CL_AZURE_KEY_MAX];
    size_t n;
    decode_key(key, &n);
    struct cl_azure_request r = {
        .method = "GET",
        .account = "myaccount",
        .path = "/mycontainer",
        .query = {{"restype", "container"}, {"comp", "metadata"}, {"timeout", "20"}},
        .query_count = 3,
        .headers = {"x-ms-version: 2015-02-21", "x-ms-date: Fri, 26 Jun 2015 23:39:12 GMT"}};
    struct cl_buf text;
    struct cl_buf signature;
    cl_buf_init(&text, 4096);
    cl_buf_init(&signature, 200);
    assert_true(cl_azure_string_to_sign(&text, &r));
    assert_string_equal(cl_buf_str(&text),
                        "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
                        "x-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\n"
                        "restype:container\ntimeout:20");
    assert_true(cl_azure_sign(&signature, key, n, cl_buf_str(&text)));
    assert_string_equal(cl_buf_str(&signature), "1u9lui2jDxj0+fpbHjQ5m5NnastJRSYM+PSmfi8TXx4=");
    cl_buf_fini(&text);
    cl_buf_fini(&signature);
}

static void shared_key_covers_body_and_headers(void **state)
{
    (void)state;
    struct cl_azure_request r = {
        .method = "PUT",
        .account = "acme",
        .path = "/acme/docs/a%20b",
        .headers = {"x-ms-meta-b:  padded ", "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==",
                    "x-ms-blob-type: BlockBlob", "Content-Type: text/plain", "X-Ms-Meta-A: 1",
                    "If-Match: \"0x1\"", "x-ms-meta: none"},
        .body_bytes = 5};
    struct cl_buf text;
    cl_buf_init(&text, 4096);
    assert_true(cl_azure_string_to_sign(&text, &r));
    assert_string_equal(
        cl_buf_str(&text),
        "PUT\n\n\n5\nXUFAKrxLKna5cZ2REBfFkg==\ntext/plain\n\n\n\"0x1\"\n\n\n\n"
        "x-ms-blob-type:BlockBlob\nx-ms-meta:none\nx-ms-meta-a:1\nx-ms-meta-b:padded"
        "\n/acme/acme/docs/a%20b");
    cl_buf_fini(&text);
}

/* Computed independently from the documented sixteen fields. */
static void sas_for_one_blob(void **state)
{
    (void)state;
    uint8_t key[CL_AZURE_KEY_MAX];
    size_t n;
    decode_key(key, &n);
    struct cl_buf out;
    cl_buf_init(&out, 4096);
    assert_true(
        cl_azure_sas(&out, "acme", key, n, "docs", "a b/\xc3\xbc.txt", 1795363200000LL, true));
    assert_string_equal(cl_buf_str(&out),
                        "sv=2021-12-02&sr=b&sp=r&se=2026-11-22T16%3A00%3A00Z&spr=https&sig="
                        "9IqDfGx%2BDqywyUFA8t4lXmzR3KVu20mYS2i7F8r6bus%3D");
    cl_buf_fini(&out);
}

static void dates(void **state)
{
    (void)state;
    char date[CL_AZURE_DATE_BYTES];
    cl_azure_date(1795363200000LL, date);
    assert_string_equal(date, "Sun, 22 Nov 2026 16:00:00 GMT");
    assert_int_equal(cl_azure_parse_date(date), 1795363200000LL);
    assert_int_equal(cl_azure_parse_date("yesterday"), 0);
}

/* ---------------------------------------------------------------- XML */

static bool parse(const char *xml, struct cl_blob_items *items, struct cl_buf *marker,
                  struct cl_err *err)
{
    return cl_azure_parse_page(xml, strlen(xml), "p/", items, marker, err);
}

static void listing_of_two(void **state)
{
    (void)state;
    static const char xml[] =
        "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
        "<EnumerationResults ServiceEndpoint=\"https://x/\" "
        "ContainerName='docs'><Prefix>p/</Prefix>"
        "<Blobs><Blob><Name>p/a &lt;&amp;&#x20AC;&#65;&gt; .txt</Name><Properties>"
        "<Last-Modified>Sun, 22 Nov 2026 16:00:00 GMT</Last-Modified><Etag>\"0x8D\"</Etag>"
        "<Content-Length>1234567890123</Content-Length><Content-Type>text/plain</Content-Type>"
        "<Content-Encoding /><Content-MD5>XUFAKrxLKna5cZ2REBfFkg==</Content-MD5>"
        "<BlobType>BlockBlob</BlobType></Properties><Metadata><Author>J &amp; D</Author></Metadata>"
        "<OrMetadata /></Blob><Blob><Name Encoded=\"true\">p/b%EF%BF%BE</Name><Properties>"
        "<Content-Length>0</Content-Length></Properties></Blob><!-- > --></Blobs>"
        "<NextMarker>2!m&amp;</NextMarker></EnumerationResults>\n";
    struct cl_blob_items items = {0};
    struct cl_buf marker;
    struct cl_err err;
    cl_buf_init(&marker, 1000);
    assert_true(parse(xml, &items, &marker, &err));
    assert_int_equal(items.count, 2);
    const struct cl_blob_item *a = &items.item[0];
    assert_string_equal(a->name, "a <&\xe2\x82\xac"
                                 "A> .txt");
    assert_string_equal(a->etag, "0x8D");
    assert_true(a->size == 1234567890123ULL);
    assert_string_equal(a->headers[CL_BLOB_CONTENT_TYPE], "text/plain");
    assert_null(a->headers[CL_BLOB_CONTENT_ENCODING]);
    assert_true(a->has_md5 && a->md5[0] == 0x5d && a->md5[15] == 0x92);
    assert_int_equal(a->meta_count, 1);
    assert_string_equal(a->meta[0].name, "author");
    assert_string_equal(a->meta[0].value, "J & D");
    assert_true(a->modified_ms == 1795363200000LL);
    assert_string_equal(items.item[1].name, "b\xEF\xBF\xBE");
    assert_false(items.item[1].has_md5);
    assert_string_equal(cl_buf_str(&marker), "2!m&");
    cl_blob_items_fini(&items);
    cl_buf_fini(&marker);
}

static void hostile_listings_are_refused(void **state)
{
    (void)state;
#define PAGE(inner) "<EnumerationResults><Blobs>" inner "</Blobs></EnumerationResults>"
    static const char *const bad[] = {
        "",
        "not xml",
        "<html><body>proxy says no</body></html>",
        "<EnumerationResults>",
        "<EnumerationResults></Enumeration>",
        "<a/><b/>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><EnumerationResults/>",
        "<EnumerationResults><!ENTITY a 'b'></EnumerationResults>",
        PAGE("<Blob><Name>p/&bomb;</Name></Blob>"),
        PAGE("<Blob><Name>p/&#0;</Name></Blob>"),
        PAGE("<Blob><Name>p/&#x110000;</Name></Blob>"),
        PAGE("<Blob><Name>p/&#xD800;</Name></Blob>"),
        PAGE("<Blob><Name>p/&#99999999999999999999;</Name></Blob>"),
        PAGE("<Blob><Name Encoded=\"true\">p/%00</Name></Blob>"),
        PAGE("<Blob><Name>elsewhere/a</Name></Blob>"),
        PAGE("<Blob></Blob>"),
        PAGE("<Blob><Name a>p/a</Name></Blob>"),
        PAGE("<Blob><Name a=\"1>p/a</Name></Blob>"),
        PAGE("<Blob><Name"),
        PAGE("<![CDATA[never closed"),
        "<EnumerationResults/>text",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cl_blob_items items = {0};
        struct cl_buf marker;
        struct cl_err err;
        cl_buf_init(&marker, 1000);
        if (parse(bad[i], &items, &marker, &err)) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_string_equal(err.code, "E_BLOB_LISTING");
        cl_blob_items_fini(&items);
        cl_buf_fini(&marker);
    }
}

/* Every prefix of a good document, and deep nesting: an error, never a crash. */
static void xml_cut_anywhere(void **state)
{
    (void)state;
    static const char xml[] = "<?xml version='1.0'?><a b=\"c\"><!-- x --><d>&lt;&#65;</d>"
                              "<![CDATA[<>]]><e/></a>";
    for (size_t n = 0; n < sizeof xml; n++) {
        /* Exactly n bytes, so that the sanitizer sees a read beyond. */
        char *copy = malloc(n + 1);
        memcpy(copy, xml, n);
        copy = realloc(copy, n > 0 ? n : 1);
        struct cl_xml x;
        cl_xml_init(&x, copy, n);
        enum cl_xml_event event;
        do {
            event = cl_xml_next(&x);
        } while (event == CL_XML_OPEN || event == CL_XML_CLOSE);
        assert_int_equal(event, n == sizeof xml - 1 ? CL_XML_END : CL_XML_ERROR);
        cl_xml_fini(&x);
        free(copy);
    }
    struct cl_buf deep;
    cl_buf_init(&deep, 10000);
    for (int i = 0; i < 1000; i++) {
        cl_buf_adds(&deep, "<a>");
    }
    struct cl_xml x;
    cl_xml_init(&x, deep.data, deep.len);
    int opened = 0;
    while (cl_xml_next(&x) == CL_XML_OPEN) {
        opened++;
    }
    assert_int_equal(opened, CL_XML_DEPTH_MAX);
    cl_xml_fini(&x);
    cl_buf_fini(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_round_trip),
        cmocka_unit_test(broken_escapes_are_refused),
        cmocka_unit_test(azure_urls),
        cmocka_unit_test(errors_print_no_credentials),
        cmocka_unit_test(shared_key_of_the_documentation),
        cmocka_unit_test(shared_key_covers_body_and_headers),
        cmocka_unit_test(sas_for_one_blob),
        cmocka_unit_test(dates),
        cmocka_unit_test(listing_of_two),
        cmocka_unit_test(hostile_listings_are_refused),
        cmocka_unit_test(xml_cut_anywhere),
    };
    return cmocka_run_group_tests_name("blob azure", tests, NULL, NULL);
}

// Every way an address is written in. A form is called with `a`, which makes one more planted address:
// a(at, tail, domain) is "planted-00001-CARRIER" + tail + at + domain, each with a number of its own.
"use strict";

const DOMAIN = "secret-company.example";

const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, "0");
const bytes = (text) => [...Buffer.from(text, "utf8")];
const base64 = (text) => Buffer.from(text, "utf8").toString("base64");
const lines = (text, width, end) => text.match(new RegExp(`.{1,${width}}`, "gs")).join(end);

/** Quoted-printable, as mail programs write it: what is not plain becomes =XX, lines end with "=". */
function quotedPrintable(text, width) {
  const plain = bytes(text).map((b) => b === 0x40 || b === 0x3d || b > 126 || (b < 32 && b !== 10 && b !== 13)
    ? `=${hex(b)}` : String.fromCharCode(b));
  const out = [];
  let line = "";
  for (const c of plain) {
    if (c !== "\r" && c !== "\n" && line.length + c.length >= width) {
      out.push(`${line}=\r\n`);
      line = "";
    }
    line += c;
    if (c === "\n") {
      out.push(line);
      line = "";
    }
  }
  return out.join("") + line;
}

/** A whole message; its body as the encoding has it. */
function message(a, encoding, encode) {
  return [
    `Return-Path: <${a()}>`,
    `Received: from mx.example (mx.example [192.0.2.7])\r\n\tby in.example with ESMTP id 4Q; for <${a()}>`,
    `From: "Doe, Jane" <${a()}>`,
    `To: Sales Team <${a()}>,\r\n =?utf-8?Q?J=C3=B6rg?= <${a()}>`,
    `Cc: ${a()} (Office)`,
    `Message-ID: <${a()}>`,
    `Subject: =?UTF-8?Q?Re:_${a("=40")}?=`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Transfer-Encoding: ${encoding}`,
    "",
    encode(`Dear ${a()},\r\nplease write to ${a()} or to ${a()} and not to anybody else.\r\n`),
    "",
  ].join("\r\n");
}

/** Forms by name. What comes out is text; a carrier puts it into a value. */
module.exports.forms = {
  // spellings of the address itself
  plain: (a) => a(),
  upper: (a) => a().toUpperCase(),
  mixed: (a) => a().replace("planted", "PlanTed").replace("secret", "SecRet"),
  dots: (a) => a("@", ".first.last"),
  plus: (a) => a("@", "+tag"),
  underscore: (a) => a("@", "_of_sales"),
  apostrophe: (a) => a("@", ".o'brien"),
  soft: (a) => a("@", "!route#7$x"),
  percent_route: (a) => a("@", "%relay"),
  utf8_local: (a) => a("@", "-zoë"),
  quoted: (a) => `"${a('"@', " at home")}`,
  quoted_at: (a) => `"${a('"@', "@home")}`,
  comment_local: (a) => a("@", "(office)"),
  comment_behind: (a) => `${a()} (Jane Doe)`,
  subdomain: (a) => a("@", "", `mail.eu.${DOMAIN}`),
  idn: (a) => a("@", "", `münchen.${DOMAIN}`),
  idn_ascii: (a) => a("@", "", `xn--mnchen-3ya.${DOMAIN}`),
  literal: (a) => a("@", "", "[192.0.2.1]"),
  literal_v6: (a) => a("@", "", "[IPv6:2001:db8::1]"),
  numbers: (a) => a("@", "", "192.0.2.1"),
  long: (a) => a("@", `.${"of.the.company.".repeat(2)}office`),

  // what stands around it
  sentence: (a) => `Write to ${a()}. Or to ${a()}, ${a()}; (${a()}), [${a()}]? {${a()}}! '${a()}': "${a()}"...`,
  display: (a) => `"Doe, Jane" <${a()}>`,
  angle: (a) => `<${a()}>`,
  mailto: (a) => `mailto:${a()}?cc=${a()}&subject=x`,
  commas: (a) => `${a()},${a()}, ${a()}`,
  semicolons: (a) => `${a()};${a()}; ${a()}`,
  blanks: (a) => `${a()} ${a()}\t${a()}\n${a()}`,
  bars: (a) => `${a()}|${a()}/${a()}`,
  back_to_back: (a) => a() + a(),
  twice_at: (a) => a("@@"),
  mention_before: (a) => `@${a()}`,
  message_id: (a) => `Message-ID: <20260101.${a()}>`,
  guillemets: (a) => `«${a()}»`,
  no_break_space: (a) => `\u00a0${a()}\u00a0`,
  zero_width: (a) => `\u200b${a()}\u200b`,
  userinfo: (a) => `https://${a()}:password@web.example/`,
  connection: (a) => `Server=db;User Id=${a()};Password=x`,
  log_line: (a) => `2026-01-01 12:00:00 INFO user=${a()} ip=192.0.2.7`,
  csv: (a) => `1,"Doe, Jane","${a()}",${a()}\r\n`,
  yaml: (a) => `mail: ${a()}\nall:\n  - '${a()}'\n`,
  markdown: (a) => `[write](mailto:${a()}) or \`${a()}\` or **${a()}**`,
  vcard: (a) => `EMAIL;TYPE=work:${a()}\r\nEMAIL;TYPE=home:${a()}\r\n`,
  sql: (a) => `UPDATE person SET mail = '${a()}' WHERE mail = '${a()}'`,

  // other at-signs and dots
  full_width: (a) => a("＠"),
  full_width_dot: (a) => a("@", "", "secret-company．example"),
  ideographic_dot: (a) => a("@", "", "secret-company。example"),
  full_width_url: (a) => a("%EF%BC%A0"),
  full_width_entity: (a) => a("&#xFF20;"),
  full_width_decimal: (a) => a("&#65312;"),
  full_width_escape: (a) => a("\\uff20"),
  full_width_printable: (a) => a("=EF=BC=A0"),

  // URL-encoded
  url: (a) => a("%40"),
  url_twice: (a) => a("%2540"),
  url_thrice: (a) => a("%252540"),
  url_dot: (a) => a("%40", "", "secret-company%2Eexample"),
  url_all: (a) => bytes(a()).map((b) => `%${hex(b)}`).join(""),
  url_query: (a) => `https://web.example/?to=${a("%40")}&cc=${a("%40")}%2C${a("%40")}`,
  url_header: (a) => encodeURIComponent(`"Doe, Jane" <${a()}>`),
  url_literal: (a) => encodeURIComponent(a("@", "", "[192.0.2.1]")),
  url_unicode: (a) => a("%u0040"),
  url_mailto: (a) => encodeURIComponent(encodeURIComponent(`mailto:${a()}`)),

  // HTML
  entity: (a) => a("&#64;"),
  entity_padded: (a) => a("&#0064;"),
  entity_hex: (a) => a("&#x40;"),
  entity_hex_upper: (a) => a("&#X0040;"),
  entity_name: (a) => a("&commat;"),
  entity_open: (a) => a("&#64"),
  entity_escaped: (a) => a("&amp;#64;"),
  entity_name_escaped: (a) => a("&amp;commat;"),
  entity_dot: (a) => a("&#64;", "", "secret-company&period;example"),
  entity_all: (a) => bytes(a()).map((b) => `&#${b};`).join(""),
  entity_all_hex: (a) => bytes(a()).map((b) => `&#x${hex(b)};`).join(""),
  entity_around: (a) => `&lt;${a()}&gt; &quot;${a()}&quot;&nbsp;${a()}&amp;`,
  html: (a) => `<!doctype html><p>Mail <a href="mailto:${a()}" title='${a("&#64;")}'>${a()}</a><br>${a()}</p>`,

  // JSON and JavaScript
  escape: (a) => a("\\u0040"),
  escape_twice: (a) => a("\\\\u0040"),
  escape_all: (a) => bytes(a()).map((b) => `\\u00${hex(b)}`).join(""),
  escape_x: (a) => a("\\x40"),
  escape_braces: (a) => a("\\u{40}"),
  escape_long: (a) => a("\\U00000040"),
  escape_before: (a) => `\\n${a()}\\t${a("\\u0040")}\\r\\n${a()}`,
  json_text: (a) => JSON.stringify({ [a()]: [{ mail: a() }], note: `to "${a()}"` }),
  json_text_twice: (a) => JSON.stringify(JSON.stringify({ mail: a(), note: `to "${a()}"\n${a()}` })),
  json_text_thrice: (a) => JSON.stringify(JSON.stringify(JSON.stringify({ mail: a("\\u0040") }))),
  script: (a) => `var to = '${a()}', cc = "${a("\\x40")}", bcc = \`${a()}\`;`,

  // escapes in one another
  nested_url_entity: (a) => a("%26%2364%3B"),
  nested_url_entity_hex: (a) => a("%26%23x40%3B"),
  nested_url_entity_twice: (a) => a("%26amp%3B%2364%3B"),
  nested_url_escape: (a) => a("%5Cu0040"),
  nested_url_json: (a) => encodeURIComponent(JSON.stringify({ mail: a(), cc: [a("\\u0040")] })),
  nested_url_printable: (a) => a("%3D40"),
  nested_entity_url: (a) => a("&#37;40"),
  nested_entity_entity: (a) => a("&#38;#64;"),
  nested_entity_all: (a) => a("&#x26;&#x23;x40&#x3b;"),
  nested_escape_url: (a) => a("\\u002540"),
  nested_escape_entity: (a) => a("\\u0026#64;"),
  nested_escape_escape: (a) => a("\\u005cu0040"),
  nested_printable_url: (a) => a("=2540"),
  nested_printable_printable: (a) => a("=3D40"),
  nested_base64_url_json: (a) => base64(encodeURIComponent(JSON.stringify({ mail: a() }))),
  nested_base64_url_entity: (a) => base64(`to=${a("%26%2364%3B")}&x`),
  nested_base64_escape: (a) => base64(JSON.stringify({ mail: a("\\u0040") })),
  nested_base64_base64: (a) => base64(`data: ${base64(`write to ${a("&#64;")}`)}`),
  nested_url_base64: (a) => encodeURIComponent(base64(`?>~?>~ to ${a()}.`)),
  nested_url_data: (a) => encodeURIComponent(`data:text/plain;base64,${base64(`?>~?>~ to ${a()}.`)}`),
  nested_escape_base64: (a) => base64(`?>~?>~ to ${a()}.`).replace(/[+/=]/g, (c) => `\\u00${hex(c.charCodeAt(0))}`),
  nested_entity_base64: (a) => base64(`?>~?>~ to ${a()}.`).replace(/[+/=]/g, (c) => `&#${c.charCodeAt(0)};`),

  // mail
  header: (a) => `To: "Doe, Jane" <${a()}>,\r\n\t${a()},\r\n ${a()}\r\n`,
  printable: (a) => a("=40"),
  printable_dot: (a) => a("=40", "", "secret-company=2Eexample"),
  printable_all: (a) => bytes(a()).map((b) => `=${hex(b)}`).join(""),
  printable_folded: (a) => quotedPrintable(`Dear reader, please write to ${a()} and to ${a()} soon.`, 30),
  printable_folded_local: (a) => a().replace(/(planted-\d\d)/, "$1=\r\n"),
  printable_folded_domain: (a) => a().replace("secret-", "secret-=\n"),
  printable_folded_at: (a) => a("=40=\r\n"),
  word: (a) => `=?utf-8?Q?${a("=40")}?=`,
  mail: (a) => message(a, "8bit", (text) => text),
  mail_printable: (a) => message(a, "quoted-printable", (text) => quotedPrintable(text, 76)),
  mail_base64: (a) => message(a, "base64", (text) => lines(base64(text), 76, "\r\n")),

  // base64 of text that holds one, at each of the three places it can have in a group
  base64: (a) => base64(a()),
  base64_1: (a) => base64(`.${a()} is the address`),
  base64_2: (a) => base64(`: ${a()} is the address`),
  base64_lines: (a) => lines(base64(`Dear reader,\n\nplease write to ${a()} or to ${a()}.\n`), 64, "\n"),
  base64_url: (a) => Buffer.from(`ÿþ>${a()}`).toString("base64url"),
  base64_word: (a) => `=?UTF-8?B?${base64(`Jörg ${a()}`)}?=`,
  base64_data: (a) => `<img src="data:text/plain;base64,${base64(`write to ${a()}`)}">`,
};

module.exports.DOMAIN = DOMAIN;

-- mask: the policy. What of production may be in a test environment, and what becomes of the rest.
--
-- Every address in every column of every table is swept into the sink, listed here or not; a new column is
-- swept from its first day. Each entry is an exception from that, or more than that:
--
--   sink "example.test"                                  where masked addresses lead
--   allow { "example.com", reason = "…" }                domains whose addresses stay, with their subdomains
--   keep { "s.table.column", values = {…}, reason = "…" }  values that stay, in this column only
--   empty { "s.table", …, reason = "…" }                 tables whose rows are never copied
--   column { "s.table.column", …, as = mask.fake "city" }  what becomes of every value of these columns; with
--                                                        mask.shuffle { unit = "name" } they swap rows together
--   mode "domain"                                        how an address is replaced: or "invalid", "hash"
--   key(secret "file:/path")                             what keyed modes and methods are made with
--   strict(require "mask_seen")                          stop at columns this list does not have
--
-- An entry without domains, values or tables says nothing. `c` tells whose copy it is: c.source and
-- c.target, c.mail_domain, c.hosted (the domain of the target's own mailboxes) and c.sign_in_names (of the
-- users chosen). A golden image is nobody's: there the last two are nil and empty, and c.target is nil
-- unless this file says something else for that target. tenants/Cust26760.mask.lua, in the same grammar,
-- adds to this for one target. `cloner scripts/mask_plan.lua source=DSN` shows what comes of it;
-- that and copydb.lua, check.lua, scan.lua and compare.lua go by this file as a clone does.
local policy = require "policy"
local allow, empty, keep, sink = policy.allow, policy.empty, policy.keep, policy.sink

return function(c)
  return {
    sink(c.mail_domain),

    allow { c.hosted, reason = "the target's own test mailbox" },

    keep { "crm7.associate.username", values = c.sign_in_names,
      reason = "sign-in names of the users chosen for the test environment" },

    empty { "crm7.email_account", "crm7.email_folder", "crm7.email_item", "crm7.email_attachment",
      "crm7.inbox", "crm7.mail_in_uidl", "crm7.ms_trashbin", reason = "personal inboxes" },
    empty { "crm7.outbox", reason = "unsent mail" },
    empty { "crm7.service_auth", "crm7.credentials", reason = "credentials" },
    empty { "crm7.login", "crm7.login_customer", "crm7.user_candidate", reason = "sessions and invitations" },
  }
end

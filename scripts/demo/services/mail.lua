-- mail: the mail platform. A tenant has routes: addresses it receives, each with a mailbox.
local json = require "json"
local errors = require "errors"

local M = {}

local function routes_of(conn, ctx)
  local list = {}
  for i, row in ipairs(conn:query(
    "SELECT address FROM registry.mail_route WHERE ctx = $1 ORDER BY address", ctx)) do
    list[i] = { address = row.address }
  end
  return list
end

--- Adds the routes of the mail platform.
function M.routes(router, context)
  local pool = context.pool

  router:on("GET", "/{ctx}/routes", function(_, args)
    return pool:use(function(conn)
      return { status = 200, json = { routes = json.array(routes_of(conn, args.ctx)) } }
    end)
  end)

  -- Makes the mailbox and the route to it. An address belongs to one tenant.
  router:on("PUT", "/{ctx}/routes/{address}", function(_, args)
    if not args.address:find("^[^@]+@[^@]+$") then
      errors.raise("invalid", "E_ADDRESS", "not an address: " .. args.address)
    end
    return pool:use(function(conn)
      local owner = conn:value("SELECT ctx FROM registry.mail_route WHERE address = $1", args.address)
      if owner and owner ~= args.ctx then
        return { status = 409, json = { error = args.address .. " belongs to another tenant" } }
      end
      conn:transaction(function()
        conn:exec([[INSERT INTO registry.mail_route (ctx, address) VALUES ($1, $2)
          ON CONFLICT (address) DO NOTHING]], args.ctx, args.address)
        conn:exec([[INSERT INTO sample.mailbox (ctx, address) VALUES ($1, $2)
          ON CONFLICT (address) DO NOTHING]], args.ctx, args.address)
      end)
      return { status = owner and 200 or 201, json = { address = args.address } }
    end)
  end)

  router:on("DELETE", "/{ctx}/routes/{address}", function(_, args)
    local gone = pool:use(function(conn)
      return conn:transaction(function()
        conn:exec("DELETE FROM sample.mailbox WHERE ctx = $1 AND address = $2", args.ctx, args.address)
        return conn:exec("DELETE FROM registry.mail_route WHERE ctx = $1 AND address = $2",
          args.ctx, args.address)
      end)
    end)
    return { status = gone > 0 and 204 or 404 }
  end)
end

return M

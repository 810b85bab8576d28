-- router: finds the handler of a request by method and path pattern.
local errors = require "errors"

local M = {}

local function compile(pattern)
  local names = {}
  local lua = pattern:gsub("[%-%.%+%?%*%^%$%%]", "%%%0"):gsub("{([%w_]+)}", function(name)
    names[#names + 1] = name
    return "([^/]+)"
  end)
  return "^" .. lua .. "/?$", names
end

local function unescape(segment)
  return (segment:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- Routes are added with router:on("PUT", "/tenants/{ctx}", function(request, args) … end).
function M.new()
  local routes = {}
  local router = {}

  function router.on(_, method, pattern, handler)
    local lua, names = compile(pattern)
    routes[#routes + 1] = { method = method, lua = lua, names = names, handler = handler }
  end

  --- The answer of the first route that fits; 404 and 405 by themselves.
  function router.answer(_, request, path)
    local other_method = false
    for _, route in ipairs(routes) do
      local found = table.pack(path:match(route.lua))
      if found[1] then
        if route.method == request.method then
          local args = {}
          for i, name in ipairs(route.names) do args[name] = unescape(found[i]) end
          return route.handler(request, args)
        end
        other_method = true
      end
    end
    if other_method then return { status = 405, json = { error = "method not allowed" } } end
    return { status = 404, json = { error = "no such resource: " .. path } }
  end

  return router
end

--- The request's JSON body as a table, or an error of class invalid.
function M.body(request)
  local ok, body = pcall(request.json, request)
  if not ok or type(body) ~= "table" then
    errors.raise("invalid", "E_BODY", "the body is not a JSON object")
  end
  return body
end

return M

-- recycle: the application servers' call to restart a tenant's web application, counted.
local M = {}

--- Adds the route of the recycle call. One idempotency key recycles once.
function M.routes(router, context)
  router:on("POST", "/{ctx}", function(request, args)
    return context.pool:use(function(conn)
      local new = conn:exec([[INSERT INTO sample.recycle (ctx, idempotency_key) VALUES ($1, $2)
        ON CONFLICT (idempotency_key) DO NOTHING]], args.ctx, request.headers["idempotency-key"])
      local count = conn:value("SELECT count(*) FROM sample.recycle WHERE ctx = $1", args.ctx)
      return { status = 202, json = { ctx = args.ctx, count = count, new = new > 0 } }
    end)
  end)
end

return M

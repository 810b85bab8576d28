-- images: the golden images there are, and a way to drop those that had their time.
--
--   cloner scripts/images.lua                      lists them
--   cloner scripts/images.lua drop=24h             drops those older than a day
--   cloner scripts/images.lua drop=0s source=…     drops all of a tenant's
--
-- An image that a run still needs stays.
local images = require "platform.images"

local P = require("procedure").new {
  name = "images",
  title = "Golden images",
  durable = false,
  params = {
    source = { "tenant", optional = true, help = "of this tenant only" },
    drop = { "duration", optional = true, help = "drop those older than this" },
  },
  summary = function(run)
    local lines = {}
    for i, image in ipairs(run:result("list").images) do
      lines[i] = ("%s of %s on %s: %s, %.1f h old, %d bytes, needed by %d run(s)"):format(image.name,
        image.source, image.cluster, image.state, image.age_s / 3600, image.bytes or 0, image.users)
    end
    for _, name in ipairs(run:result("drop").dropped) do lines[#lines + 1] = "dropped " .. name end
    if #lines == 0 then lines[1] = "there are no images" end
    return lines
  end,
}

P:step { "drop", title = "Drop images that had their time",
  run = function(run)
    local dropped = {}
    if not run.params.drop then return { dropped = dropped } end
    for _, image in ipairs(images.list(run.config, run.params.source)) do
      -- A half-made one is its saga's: `cloner cancel` drops it.
      if image.state ~= "making" and image.age_s * 1000 >= run.params.drop
        and images.drop(run.config, image, run.id, true) then
        dropped[#dropped + 1] = image.database_name
      end
    end
    return { dropped = dropped }
  end,
}

P:step { "list", title = "List what is there",
  run = function(run)
    local list = {}
    for i, image in ipairs(images.list(run.config, run.params.source)) do
      list[i] = { name = image.database_name, source = image.ctx, cluster = image.cluster,
        state = image.state, age_s = image.age_s, bytes = image.bytes, users = image.users }
    end
    return { images = list }
  end,
}

return P

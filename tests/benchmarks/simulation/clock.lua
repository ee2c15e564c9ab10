-- clock: stands in front of a script of the line. TIME is that of the simulation, and no key runs out by itself: the
-- simulation deletes a key when its time is over, and says when that will be where a script asks for it.
local server = redis

local function without_end(...)
  local arguments, kept = { ... }, {}
  local skipped = false
  for _, argument in ipairs(arguments) do
    if skipped then
      skipped = false
    elseif argument == 'PX' then
      skipped = true
    else
      kept[#kept + 1] = argument
    end
  end
  return unpack(kept)
end

local function simulated(call, name, ...)
  if name == 'TIME' then
    local ms = tonumber(server.call('GET', 'simulated:now'))
    return { math.floor(ms / 1000), ms % 1000 * 1000 }
  elseif name == 'PTTL' then
    local over = server.call('GET', 'simulated:until:' .. (...))
    return over and over - server.call('GET', 'simulated:now') or call(name, ...)
  elseif name == 'PEXPIRE' then
    return call('EXISTS', (...))
  elseif name == 'SET' then
    return call('SET', without_end(...))
  end
  return call(name, ...)
end

local redis = {
  call = function(...)
    return simulated(server.call, ...)
  end,
  pcall = function(...)
    return simulated(server.pcall, ...)
  end,
}

-- Shows values of Lua as text, so that two servers can be compared: `all(...)`, and `try(function)`.
local function show(v, depth)
    local kind = type(v)
    if kind == 'string' then return (string.format('%q', v):gsub('\\\n', '\\n')) end
    if kind == 'number' then return string.format('%.17g', v) end
    if kind == 'userdata' then return v == cjson.null and 'null' or 'userdata' end
    if kind ~= 'table' then return (tostring(v):gsub('0x%x+', 'PLACE')) end
    if depth > 20 then return '{...}' end
    local keys, parts = {}, {}
    for key in pairs(v) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b)
        if type(a) ~= type(b) then return type(a) < type(b) end
        if type(a) == 'number' or type(a) == 'string' then return a < b end
        return show(a, 0) .. show(v[a], 0) < show(b, 0) .. show(v[b], 0)
    end)
    for _, key in ipairs(keys) do
        parts[#parts + 1] = '[' .. show(key, depth + 1) .. ']=' .. show(v[key], depth + 1)
    end
    return '{' .. table.concat(parts, ',') .. '}'
end
local function all(...)
    local parts = {}
    for place = 1, select('#', ...) do parts[place] = show((select(place, ...)), 0) end
    return table.concat(parts, ' ; ')
end
local function try(body)
    local is_well, text = pcall(function() return all(body()) end)
    return (is_well and '+ ' or '- ') .. tostring(text)
end

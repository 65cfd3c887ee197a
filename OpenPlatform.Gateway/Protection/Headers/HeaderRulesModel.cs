using Microsoft.Extensions.Primitives;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Protection.Headers;

/// <summary>Header rules of one direction: remove, then set, then add.</summary>
internal sealed class HeaderRulesModel(HeaderRules rules)
{
    private readonly string[] _remove = [.. rules.Remove ?? []];
    private readonly KeyValuePair<string, string>[] _set = [.. rules.Set ?? new Dictionary<string, string>()];
    private readonly KeyValuePair<string, string>[] _add = [.. rules.Add ?? new Dictionary<string, string>()];

    public void Apply(IHeaderDictionary headers)
    {
        foreach (var name in _remove)
        {
            headers.Remove(name);
        }

        foreach (var (name, value) in _set)
        {
            headers[name] = value;
        }

        foreach (var (name, value) in _add)
        {
            headers[name] = StringValues.Concat(headers[name], value);
        }
    }
}

using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace OpenPlatform.Gateway.Instances;

/// <summary>One instance in a file.</summary>
/// <param name="Address">Absolute http or https URL without a path.</param>
/// <param name="Id">1 to 128 characters of <c>[A-Za-z0-9._-]</c>; default the host and port.</param>
/// <param name="Weight">1 to 1000; 100 is normal.</param>
/// <param name="Priority">0 to 100; 0 is best.</param>
/// <param name="Draining">Gets nothing new.</param>
internal sealed record InstanceEntry(Uri Address, string? Id = null, string? Zone = null, int Weight = 100, int Priority = 0, bool Draining = false);

/// <summary>The instances of a service as a JSON array, for example <c>[{ "address": "http://10.0.3.7:8080", "zone": "a" }]</c>.</summary>
internal static partial class InstanceFile
{
    /// <summary>Larger files are not read.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>What the file says, or null and what is wrong with it; one wrong entry makes the whole file wrong.</summary>
    public static InstanceConfig[]? Read(ReadOnlySpan<byte> json, out string? problem)
    {
        List<InstanceEntry?>? entries;
        try
        {
            entries = JsonSerializer.Deserialize(json, InstanceFileJson.Default.ListInstanceEntry);
        }
        catch (JsonException e)
        {
            problem = $"line {e.LineNumber + 1}: {e.Message}";
            return null;
        }

        var problems = new List<string>();
        var addresses = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < entries?.Count; i++)
        {
            if (entries[i] is not { } entry)
            {
                problems.Add($"/{i}: must not be null");
                continue;
            }

            Require(
                entry.Address is { IsAbsoluteUri: true, Scheme: "http" or "https", PathAndQuery: "/", Fragment: "", UserInfo: "", Host.Length: > 0 },
                "address", "must be an absolute http or https URL without user, path and query");
            Require(!entry.Address.IsAbsoluteUri || addresses.Add(entry.Address.GetLeftPart(UriPartial.Authority)), "address", "stands in the file already");
            Require(entry.Id is null || (entry.Id.Length <= 128 && Name().IsMatch(entry.Id)), "id", "must be 1 to 128 characters of A-Z a-z 0-9 . _ -");
            Require(entry.Zone is null || (entry.Zone.Length <= 64 && Name().IsMatch(entry.Zone)), "zone", "must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
            Require(entry.Weight is >= 1 and <= 1000, "weight", "must be 1 to 1000");
            Require(entry.Priority is >= 0 and <= 100, "priority", "must be 0 to 100");

            void Require(bool holds, string member, string message)
            {
                if (!holds)
                {
                    problems.Add($"/{i}/{member}: {message}");
                }
            }
        }

        problem = entries is null ? "must be an array" : problems.Count == 0 ? null : string.Join("; ", problems.Take(20));
        return problem is not null ? null :
            [.. entries!.Select(static e => new InstanceConfig(e!.Id ?? e.Address.Authority, e.Address, e.Weight, e.Zone, e.Priority, e.Draining, InstanceSource.File))];
    }

    [GeneratedRegex("^[A-Za-z0-9._-]+\\z", RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true, ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(List<InstanceEntry>))]
internal sealed partial class InstanceFileJson : JsonSerializerContext;

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Backends;

/// <summary>What an API calls.</summary>
/// <param name="Service">Name under which its instances hold leases; null: only <paramref name="Addresses"/>.</param>
/// <param name="Addresses">Fixed instance addresses.</param>
public sealed record Backend(
    Guid Id, string Name, string? Service, IReadOnlyList<string> Addresses, DateTimeOffset CreatedAt,
    [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 63 lower-case letters, digits and inner hyphens; unique.</param>
/// <param name="Service">Name under which instances hold leases; may be absent when there are addresses.</param>
/// <param name="Addresses">Absolute http or https URLs without a path; may be absent when there is a service.</param>
public sealed record BackendRequest([property: Required] string? Name, string? Service = null, IReadOnlyList<string?>? Addresses = null)
{
    private const int MaxAddresses = 1_000;

    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.Name("/name", Name);
        if (Addresses?.Count > MaxAddresses)
        {
            check.Add("/addresses", $"must be at most {MaxAddresses}");
            return check.Problem;
        }

        var addresses = new List<Uri>();
        for (var i = 0; i < (Addresses?.Count ?? 0); i++)
        {
            // A bad one still takes its place, so that the validator's positions are those of the request.
            addresses.Add(Uri.TryCreate(Addresses![i], UriKind.Absolute, out var address) ? address : new("invalid", UriKind.Relative));
        }

        var candidate = new BackendModel(Guid.CreateVersion7(), Name ?? "", Service, addresses);
        check.Snapshot(Snapshot.Empty with { Backends = [candidate] }, static pointer => pointer["/backends/0".Length..]);
        return check.Problem;
    }
}

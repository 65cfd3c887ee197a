using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Backends;

/// <summary>What an API calls.</summary>
/// <param name="Service">Name under which its instances hold leases; null: only <paramref name="Addresses"/> and <paramref name="Dns"/>.</param>
/// <param name="Addresses">Fixed instance addresses.</param>
/// <param name="Protocol">What its instances speak; null: HTTP/1.1 at http addresses, what they offer at https ones.</param>
/// <param name="Balancing">A <see cref="BalancingPolicy"/>; null: its defaults.</param>
/// <param name="Health">A <see cref="HealthPolicy"/>; null: its defaults.</param>
/// <param name="Dns">A <see cref="DnsModel"/>: a further source of instances.</param>
public sealed record Backend(
    Guid Id, string Name, string? Service, IReadOnlyList<string> Addresses, string? Protocol, JsonElement? Balancing, JsonElement? Health, JsonElement? Dns,
    DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 63 lower-case letters, digits and inner hyphens; unique.</param>
/// <param name="Service">Name under which instances hold leases; may be absent when there are addresses.</param>
/// <param name="Addresses">Absolute http or https URLs without a path; may be absent when there is a service.</param>
/// <param name="Protocol">One of <see cref="BackendProtocol"/>.</param>
/// <param name="Balancing">How instances are chosen: a <see cref="BalancingPolicy"/>.</param>
/// <param name="Health">When they are taken out and taken back: a <see cref="HealthPolicy"/>.</param>
/// <param name="Dns">Instances by DNS: a <see cref="DnsModel"/>.</param>
public sealed record BackendRequest(
    [property: Required] string? Name, string? Service = null, IReadOnlyList<string?>? Addresses = null,
    string? Protocol = null, JsonElement? Balancing = null, JsonElement? Health = null, JsonElement? Dns = null)
{
    private const int MaxAddresses = 1_000;

    /// <summary>What goes into the row.</summary>
    internal Outcome<BackendModel> Check()
    {
        var check = new RequestCheck();
        check.Name("/name", Name);
        if (Addresses?.Count > MaxAddresses)
        {
            check.Add("/addresses", $"must be at most {MaxAddresses}");
            return check.Problem!;
        }

        var addresses = new List<Uri>();
        for (var i = 0; i < (Addresses?.Count ?? 0); i++)
        {
            // A bad one still takes its place, so that the validator's positions are those of the request.
            addresses.Add(Uri.TryCreate(Addresses![i], UriKind.Absolute, out var address) ? address : new("invalid", UriKind.Relative));
        }

        var backend = new BackendModel(Guid.CreateVersion7(), Name ?? "", Service, addresses)
        {
            Protocol = Protocol,
            Balancing = PolicyJson.Read(Balancing, SnapshotJson.Default.BalancingPolicy, "/balancing", check),
            Health = PolicyJson.Read(Health, SnapshotJson.Default.HealthPolicy, "/health", check),
            Dns = PolicyJson.Read(Dns, SnapshotJson.Default.DnsModel, "/dns", check),
        };
        check.Snapshot(Snapshot.Empty with { Backends = [backend] }, static pointer => pointer["/backends/0".Length..]);
        return check.Problem is { } problem ? problem : backend;
    }
}

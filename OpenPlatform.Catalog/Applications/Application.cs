using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Applications;

/// <summary>The calling program of a partner.</summary>
/// <param name="Suspended">True: gateways refuse it, whatever its subscriptions.</param>
/// <param name="Addresses">Where it may call from; null: everywhere.</param>
public sealed record Application(
    Guid Id, Guid OrganizationId, string Name, bool Suspended, AddressPolicy? Addresses, DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 200 characters, unique in its organization.</param>
/// <param name="Addresses">Where it may call from, in addresses and CIDR ranges; absent: everywhere.</param>
public sealed record ApplicationRequest([property: Required] Guid? OrganizationId, [property: Required] string? Name, AddressPolicy? Addresses = null)
{
    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.Id("/organizationId", OrganizationId);
        check.DisplayName("/name", Name);
        check.Snapshot(
            Snapshot.Empty with { Applications = [new(Guid.CreateVersion7(), Guid.Empty, "", Suspended: false) { Addresses = Addresses }] },
            static pointer => pointer["/applications/0".Length..]);
        return check.Problem;
    }
}

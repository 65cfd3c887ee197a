using System.Reflection;
using Aspire.Hosting;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.Engine;

/// <summary>What build/OpenPlatform.Hosting.targets makes of the AppHost's references.</summary>
public sealed class GeneratedProjectsTests
{
    private static readonly Assembly s_appHost = typeof(Projects.OpenPlatform_AppHost).Assembly;

    [Theory]
    [InlineData(typeof(Projects.OpenPlatform_Catalog), "OpenPlatform.Catalog")]
    [InlineData(typeof(Projects.OpenPlatform_Gateway), "OpenPlatform.Gateway")]
    [InlineData(typeof(Projects.Orders), "Orders")]
    public void A_referenced_service_is_a_class_that_knows_its_project_and_its_assembly(Type type, string name)
    {
        var metadata = (IBuiltProjectMetadata)Activator.CreateInstance(type)!;
        Assert.Equal(name + ".csproj", Path.GetFileName(metadata.ProjectPath));
        Assert.True(File.Exists(metadata.ProjectPath));
        Assert.Equal(name + ".dll", Path.GetFileName(metadata.TargetPath));
        Assert.True(File.Exists(metadata.TargetPath));
        Assert.True(metadata.SuppressBuild);
    }

    [Fact]
    public void A_reference_marked_as_no_resource_stays_an_ordinary_reference()
    {
        Assert.DoesNotContain(s_appHost.GetTypes(), type => type.Name == "OpenPlatform_Hosting");
        Assert.Contains(s_appHost.GetReferencedAssemblies(), reference => reference.Name == "OpenPlatform.Hosting");
        Assert.DoesNotContain(s_appHost.GetReferencedAssemblies(), reference => reference.Name == "OpenPlatform.Gateway");
    }

    [Fact]
    public void The_AppHost_knows_where_it_lies()
    {
        Assert.True(File.Exists(Path.Combine(Projects.OpenPlatform_AppHost.ProjectPath, "OpenPlatform.AppHost.csproj")));
        Assert.False(typeof(IProjectMetadata).IsAssignableFrom(typeof(Projects.OpenPlatform_AppHost)));
        var metadata = s_appHost.GetCustomAttributes<AssemblyMetadataAttribute>().ToDictionary(a => a.Key, a => a.Value);
        Assert.Equal(Projects.OpenPlatform_AppHost.ProjectPath, metadata["apphostprojectpath"]);
        Assert.Equal("OpenPlatform.AppHost.csproj", metadata["apphostprojectname"]);
    }
}
